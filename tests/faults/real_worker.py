"""The real worker under faults: it, a rank or the coordinator dies, stops, hangs or meets a bad disk at a named point of
a real training, and the table is the undisturbed one's, byte for byte.

Usage: real_worker.py BIN [all]        all: every point, some minutes
"""

import signal
import sys
import time

import fakes
from fakes import Sweep, children, expect, finish, problems, send, undisturbed, wait_until

SPEC = {
    "name": "real",
    "trial": {"dataset": "synthetic", "width": 0.0625, "depth": 10, "head_layers": 0, "embedding": 16, "train_limit": 64,
              "batch_size": 4, "learning_rate": 0.05, "steps": 16, "class": 0},
    "grid": {"loss": ["contrastive", "rotation"], "seed": [1, 2]},
    "evaluate": {"test_limit": 100, "features": ["pool"], "classifiers": ["kde", "gde"]},
    "tables": {"main": {"rows": "loss", "columns": "features,classifier"}},
}
EVERY = ["--checkpoint-every", "0.02"]
everything = "all" in sys.argv[2:]
table = undisturbed(SPEC, worker=None)


def new():
    return Sweep(SPEC, worker=None)


def ends_well(what, sweep, *more, **options):
    return fakes.ends_well(what, sweep, table, *EVERY, *more, timeout=300, **options)


def checkpoints(sweep):
    return list(sweep.path.glob("occam.db.work/*/*.ckpt"))


def when(sweep, point):
    wait_until({"start": lambda: sweep.count("attempt") > 0, "training": lambda: checkpoints(sweep),
                "outcome": lambda: sweep.count("outcome") > 0}[point], seconds=120)


# ---- a worker ----
# At a point of its own: the calls that write a checkpoint.
points = ["write *.ckpt.partial 2 half-kill", "rename *.ckpt 2 kill", "rename *.ckpt 3 done-kill"]
points += ["write *.ckpt.partial 1 kill", "sync *.ckpt.partial 1 kill", "rename *.ckpt 1 kill", "sync *.ckpt.partial 4 done-kill",
           "write *.kept/* 2 kill", "write *.npy 3 half-kill", "rename *.kept/* 1 kill"] if everything else []
for point in points:
    sweep = new()
    sweep.break_calls(f"{point} once")
    ends_well(f"a worker dies at: {point}", sweep, says="was killed by signal 9")
    sweep.occam("gc", sweep.db)
    expect(not list(sweep.path.glob("occam.db.kept/*.partial*")), "  and nothing half is left, after gc at the latest")

# At any point, from outside.
for point in ("start", "training", "outcome") if everything else ("training",):
    for number, says in ((signal.SIGKILL, "was killed by signal 9"), (signal.SIGSTOP, "was silent for")):
        sweep = new()
        process = sweep.start(*EVERY, "--silence", "5")
        when(sweep, point)
        for victim in children(process.pid):
            send(victim, number)
        output, _ = process.communicate(timeout=300)
        found = problems(sweep, table)
        expect(process.returncode == 0 and not found and says in output,
               f"all workers get {number.name} at {point} {found} {output[-300:] if found or says not in output else ''}")

# One slot's thread is blocked for ever, in the middle of a checkpoint, while the heart beats on.
sweep = new()
sweep.break_calls("write *.ckpt.partial 2 hang once")
ends_well("a blocked thread", sweep, "--stall", "4", says="stood still")

# ---- a disk that takes no checkpoint and no features ----
for rules in (["write *.ckpt.partial 2+ ENOSPC"], ["sync *.ckpt.partial 2+ EIO"], ["rename *.ckpt 1+ EIO", "write *.npy 1+ ENOSPC"]):
    sweep = new()
    sweep.break_calls(*rules)
    ends_well(f"{' and '.join(rules)}", sweep, says="goes on without")
    expect(sweep.count("attempt") == 4, "  no trial is tried twice for it")

# ---- the coordinator ----
for point in ("training", "outcome") if not everything else ("start", "training", "outcome"):
    sweep = new()
    process = sweep.start(*EVERY)
    when(sweep, point)
    orphans = children(process.pid)
    for orphan in orphans:
        send(orphan, signal.SIGSTOP)  # they wake beside those of the next coordinator
    send(process.pid)
    process.communicate()
    again = sweep.start(*EVERY)
    wait_until(lambda: sweep.count("attempt WHERE state = 'running'") > 0)
    for orphan in orphans:
        send(orphan, signal.SIGCONT)
    output, _ = again.communicate(timeout=300)
    found = problems(sweep, table)
    expect(again.returncode == 0 and not found, f"a coordinator killed at {point} and rerun beside its orphans {found}")

# Between an outcome and its commit, and in it: the tenth write of the log and those after it hold outcomes.
for point in ["write *occam.db-wal 26 kill", "sync *occam.db-wal 6 kill"] + (
        [f"write *occam.db-wal {n} half-kill" for n in range(20, 60, 4)] if everything else []):
    sweep = new()
    sweep.break_calls(point)
    killed = sweep.run(*EVERY, timeout=300)
    sweep.break_calls()
    ends_well(f"a coordinator {'killed' if killed.returncode == -9 else 'not killed'} at: {point}", sweep)

# Checkpoints of the real form that a disk kept a part of.
for cut in (0, 0.01, 0.5, 0.999) if everything else (0.5,):
    sweep = new()
    process = sweep.start(*EVERY)
    when(sweep, "training")
    time.sleep(0.3)
    send(process.pid)
    process.communicate()
    for file in checkpoints(sweep):
        file.write_bytes(file.read_bytes()[: int(cut * file.stat().st_size)])
    ends_well(f"checkpoints cut to {cut:.1%}", sweep)


# ---- ranks ----
if fakes.HAVE_MPI:
    cases = [(2, 1, signal.SIGKILL), (3, 2, signal.SIGSTOP)]
    if everything:
        cases += [(3, 0, signal.SIGKILL), (3, 1, signal.SIGKILL), (2, 0, signal.SIGKILL)]
    for size, rank, number in cases:
        sweep = new()
        process = sweep.start(*EVERY, "--workers", str(size), "--silence", "3",
                              launcher=fakes.mpirun(size))
        when(sweep, "training")
        victim = fakes.ranks(process.pid).get(rank, 0)
        expect(victim > 0, f"rank {rank} of {size} runs")
        send(victim, number)
        try:
            output, _ = process.communicate(timeout=120)
        finally:
            send(victim)
        expect(process.returncode != 0, f"  {number.name} ends the job with {process.returncode}")
        ends_well("  and the same command goes on", sweep)
finish()
