"""Faults at named points, one at a time: whatever happens, the same command ends with the same table.

Usage: injected.py BIN
"""

import json
import pathlib
import signal
import subprocess
import time

import fakes
from fakes import SPEC, Sweep, children, expect, finish, problems, send, undisturbed, wait_until

table = undisturbed()


def ends_well(what, sweep, *more, **options):
    return fakes.ends_well(what, sweep, table, *more, **options)


def fault(at, do, times=1, **more):
    return {"faults": [{"at": at, "do": do, "times": times, "only": {"batch_size": 16}, **more}]}


# ---- a worker, at every point of a trial's life ----
for at, step in (("start", None), ("step", 5), ("checkpoint", 6), ("outcome", None)):
    for do in ("kill", "exit", "half-line"):
        more = {} if step is None else {"step": step}
        ends_well(f"{do} at {at}", Sweep(**fault(at, do, **more)), says="the worker")
ends_well("garbage on the pipe", Sweep(**fault("step", "garbage", step=2)), says="not a message")
ends_well("a line of 20 MiB", Sweep(**fault("step", "long-line", step=2)), says="longer than 16 MiB")
ends_well("an outcome without its scores", Sweep(**fault("outcome", "no-scores")), says="attempt 1 of 3")
ends_well("a silent worker", Sweep(beat_ms=100, **fault("step", "silence", step=4)), "--silence", "1", says="was silent")
ends_well("a trial that stands still", Sweep(beat_ms=100, **fault("step", "block", step=4)), "--stall", "1",
          says="stood still at 4 of training")

# Several trials in the worker that dies: all come through, and the innocent ones at no cost.
packed = Sweep(slots=4, step_ms=5, **fault("step", "kill", times=2, step=5))
ends_well("killed with four trials in it", packed)
expect(packed.count("attempt WHERE state = 'lost'") >= 2, "  they are retried without counting")
ends_well("killed with some in training, some being scored",
          Sweep(slots=2, step_ms=5, scoring_ms=60, **fault("outcome", "kill", times=3)))
packed = Sweep(slots=4, step_ms=5, memory_slots=2)
ends_well("out of memory beside others", packed, says="ran out of memory")
expect(packed.count("attempt WHERE state = 'failed'") == 0, "  none of them counts")

# Killed from outside again and again, after every checkpoint: it gets further, so none of that counts.
sweep = Sweep(faults=[{"at": "checkpoint", "step": step, "do": "kill", "times": 1, "only": {"seed": 1, "class": 0, "batch_size": 16}}
                      for step in (3, 6, 9, 12)])
ends_well("killed four times, each further than before", sweep)
expect(sweep.query("SELECT state, count(*) FROM attempt WHERE state != 'completed' GROUP BY state") == [("lost", 4)],
       "  and no attempt counts against it")

# A culprit past its attempts fails, and only it; retry gives it three more.
culprit = {"seed": 2, "class": 3, "batch_size": 32}
sweep = Sweep(slots=2, faults=[{"at": "step", "step": 7, "do": "kill", "times": 4, "only": culprit}])
result = sweep.run()
expect(result.returncode == 3 and sweep.count("outcome") == 31, "a trial that kills its worker every time fails, alone")
left = sweep.occam("retry", sweep.db, "--dry-run").stdout.split()
expect(len(left) == 1, "  retry finds it")
explained = sweep.occam("explain", sweep.db, left[0]).stdout
expect(explained.count("killed by signal 9") >= 3, "  explain tells its three ends")
expect("lost" in sweep.occam("logs", sweep.db, left[0]).stdout, "  logs tells its worker's end")
for how, again in (("a rerun", sweep.run()), ("plan", sweep.occam("plan", sweep.spec, "--db", sweep.db))):
    said = again.stdout + again.stderr
    expect(again.returncode == 3 and "0 to run, 1 failed" in said and f"occam retry {sweep.db}" in said,
           f"  {how} counts it as failed and names retry, not as work: {said[-300:]}")
expect("1 to run" in sweep.occam("plan", sweep.spec, "--db", sweep.db, "--max-attempts", "9").stdout,
       "  unless it has more attempts")
sweep.occam("retry", sweep.db)
ends_well("  and after retry it comes through", sweep)

sweep = Sweep(faults=[{"at": "outcome", "do": "diverge", "only": culprit}])
expect(sweep.run().returncode == 3 and sweep.count("attempt") == 32, "a diverged trial is final")
expect(sweep.run().returncode == 3 and sweep.count("attempt") == 32, "  and not tried again")

# ---- the coordinator ----
for done in (0, 1, 9):
    sweep = Sweep(step_ms=4, beat_ms=50)
    process = sweep.start()
    wait_until(lambda: sweep.count("outcome") >= done and sweep.count("attempt WHERE state = 'running'") > 0)
    orphans = children(process.pid)
    for orphan in orphans:
        send(orphan, signal.SIGSTOP)  # they wake beside those of the next coordinator
    send(process.pid)
    process.communicate()
    before = sweep.query("SELECT trial, attempt, recorded_at FROM outcome")
    again = sweep.start()
    wait_until(lambda: sweep.count("attempt WHERE state = 'running'") > 0)
    for orphan in orphans:
        send(orphan, signal.SIGCONT)
    output, _ = again.communicate(timeout=60)
    found = problems(sweep, table)
    after = sweep.query("SELECT trial, attempt, recorded_at FROM outcome")
    expect(again.returncode == 0 and not found and set(before) <= set(after),
           f"killed after {done} outcomes and rerun beside its orphans {found or ''}")

sweep = Sweep(step_ms=4)
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 3)
send(process.pid, signal.SIGSTOP)
time.sleep(0.5)
send(process.pid, signal.SIGCONT)
output, _ = process.communicate(timeout=60)
expect(process.returncode == 0 and not problems(sweep, table), "a coordinator that was stopped for a while goes on")

sweep = Sweep(step_ms=150)
process = sweep.start("--walltime", "1", "--checkpoint-every", "0.1")
output, _ = process.communicate(timeout=60)
expect(process.returncode == 75 and "the time is up" in output, "out of time, it checkpoints and exits 75")
expect(sweep.count("attempt WHERE state = 'stopped'") > 0, "  with its trials stopped")
sweep.settings.write_text(sweep.settings.read_text().replace('"step_ms": 150', '"step_ms": 0'))
ends_well("  and the same command goes on", sweep)

# ---- asked for while it runs ----
sweep = Sweep(step_ms=55)  # longer than all that is asked, also on a busy machine and under a sanitizer
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 1)
second = sweep.run()
expect(second.returncode == 1 and "writes it" in second.stderr, "a second coordinator is kept out")
grown = pathlib.Path(sweep.path, "grown.json")
grown.write_text('{"name": "grown", "trial": {"dataset": "synthetic", "class": "all", "steps": 12, "batch_size": 24}}')
added = sweep.occam("add", str(grown), "--db", sweep.db)
expect(added.returncode == 0 and "4 trials, 4 to run" in added.stdout, f"add: {added.stdout}{added.stderr}")
# It only adds: what would leave out trials or scores that run on is refused, and changes nothing.
planned = sweep.query("SELECT * FROM sweep_trial ORDER BY sweep, position"), sweep.query("SELECT * FROM request")
for less, why in (({"grid": {"seed": [1]}}, "leaves out 28 trials"),
                  ({"evaluate": {"features": ["pool"], "classifiers": ["kde"]}}, "fewer scores of 32 trials")):
    grown.write_text(json.dumps({**SPEC, **less}))
    refused = sweep.occam("add", str(grown), "--db", sweep.db)
    expect(refused.returncode == 1 and why in refused.stderr and "only adds" in refused.stderr, f"less is not added: {refused.stderr}")
expect(planned == (sweep.query("SELECT * FROM sweep_trial ORDER BY sweep, position"), sweep.query("SELECT * FROM request")),
       "  and nothing has changed")
cancelled = sweep.occam("cancel", sweep.db, "--where", "batch_size=8", "--where", "seed=2")
expect(cancelled.returncode == 0 and "cancelled" in cancelled.stdout, f"cancel: {cancelled.stdout}{cancelled.stderr}")
watched = sweep.occam("watch", sweep.db)
expect("node 0 worker" in watched.stdout, "watch shows the workers")
output, _ = process.communicate(timeout=60)
gone = sweep.count("trials WHERE state = 'cancelled'")
expect(process.returncode == 0 and gone > 0 and sweep.count("outcome") == 32 + 4 - gone, f"both come about ({gone} cancelled)")
told = [event for event in sweep.events() if event["event"] == "cancelled"]
expect(len(told) == gone, f"  the log tells of these alone ({len(told)})")
said = sweep.occam("cancel", sweep.db, "--where", "seed=2").stdout
expect(f"0 cancelled; {16 - gone} have an outcome already" in said and f"{gone} had been cancelled before" in said,
       f"  cancel says why it has nothing to do: {said}")
again = sweep.run()
expect("0 to run" in again.stderr, "the cancelled ones stay out")
sweep.occam("retry", sweep.db)
expect(sweep.run().returncode == 0 and sweep.table() == table, "until retry takes it back")
sweep = Sweep(step_ms=25, faults=[{"at": "step", "step": 1, "do": "kill", "times": 3,
                                    "only": {"seed": 1, "class": 0, "batch_size": 32}}])
process = sweep.start()
wait_until(lambda: sweep.count("trials WHERE state = 'failed' AND failed_attempts = 3") == 1)
retried = sweep.occam("retry", sweep.db)
expect("1 trials have all their attempts again" in retried.stdout, f"retry on a running sweep: {retried.stdout}{retried.stderr}")
output, _ = process.communicate(timeout=60)
found = problems(sweep, table)
expect(process.returncode == 0 and not found, f"  runs it in that sweep {found}")

# A stopped coordinator: whoever asks it is told, and what is given up is withdrawn.
sweep = Sweep(step_ms=10)
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 1)
send(process.pid, signal.SIGSTOP)
asking = subprocess.Popen([fakes.OCCAM, "cancel", sweep.db, "--where", "seed=2"], stderr=subprocess.PIPE, text=True)
said = asking.stderr.readline()
send(asking.pid, signal.SIGINT)
asking.communicate(timeout=60)
expect(f"kill -CONT {process.pid} lets it go on" in said and asking.returncode == -signal.SIGINT,
       f"a stopped coordinator is named: {said}")
send(process.pid, signal.SIGCONT)
process.communicate(timeout=60)
found = problems(sweep, table)
expect(process.returncode == 0 and not found, f"  and does not carry out what was given up {found}")

# ---- a rank that stands still, from its beginning or while all leave: the others do not wait for it ----
for outcomes in (0, 30) if fakes.HAVE_MPI else ():
    sweep = Sweep(step_ms=2, beat_ms=100)
    process = sweep.start("--workers", "3", "--silence", "1", launcher=fakes.mpirun(3))
    wait_until(lambda: children(fakes.ranks(process.pid).get(0, 0)))
    victim = fakes.ranks(process.pid)[2]
    wait_until(lambda: sweep.count("outcome") >= outcomes)
    send(victim, signal.SIGSTOP)
    process.communicate(timeout=60)
    send(victim)
    again = sweep.run()
    found = problems(sweep, table)
    expect(again.returncode == 0 and not found, f"a rank stops after {outcomes} outcomes: the run ends, and the next goes on {found}")

# ---- what is left over ----
sweep = Sweep()
sweep.run()
kept = pathlib.Path(sweep.db + ".kept")
done, other = [row[0] for row in sweep.query("SELECT trial FROM outcome ORDER BY trial LIMIT 2")]
for name in (done, other, "0123456789abcdef", done + ".partial.77", "notes"):
    (kept / name).mkdir(parents=True)
    (kept / name / "train.pool.npy").write_bytes(b"x" * 1_000_000)
work = pathlib.Path(sweep.db + ".work", done)
work.mkdir(parents=True)
(work / "1.ckpt").write_bytes(b"x" * 1_000_000)
forgotten = sweep.occam("forget", sweep.db, "--where", "batch_size=" + str(sweep.query(
    f"SELECT batch_size FROM trials WHERE trial = '{other}'")[0][0]))
expect("8 outcomes retired" in forgotten.stdout, f"forget: {forgotten.stdout}{forgotten.stderr}")
said = sweep.occam("gc", sweep.db, "--dry-run").stdout
expect("3 MB in 3 places" in said and work.exists(), f"gc says what would go: {said}")
sweep.occam("gc", sweep.db)
expect(sorted(path.name for path in kept.iterdir()) == sorted([done, "notes"]) and not work.exists(),
       "  and deletes that, but no features of a result that counts, and nothing of the user's")
expect(sweep.run().returncode == 0 and sweep.table() == table and sweep.count("outcome") == 40,
       "what was forgotten is run again")

# The outcomes that wait have kept features too.
sweep = Sweep()
sweep.run("--limit", "1")
sweep.break_calls("write *occam.db-wal 40+ EIO")
sweep.run()
sweep.break_calls()
kept = [pathlib.Path(sweep.db + ".kept", trial) for trial in sweep.spooled()]
for folder in kept:
    folder.mkdir(parents=True)
said = sweep.occam("gc", sweep.db)
expect(said.returncode == 1 and "wait beside it" in said.stderr and kept and all(folder.exists() for folder in kept),
       f"gc keeps the features of {len(kept)} outcomes that wait: {said.stderr}")
finish()
