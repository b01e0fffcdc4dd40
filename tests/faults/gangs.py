"""Gangs under faults: whoever of a gang dies, stops or does not answer, at whatever point, the gang ends, the other
workers serve the next trials, the retry completes, and the table is the undisturbed one's.

Usage: gangs.py BIN
"""

import json
import os
import pathlib
import shutil
import sqlite3
import time

from fakes import Sweep, expect, finish, problems, undisturbed, wait_until

# Gangs of two and three among trials alone: 4 classes x 3 batch sizes.
SPEC = {
    "name": "gangs",
    "trial": {"dataset": "synthetic", "class": "all", "steps": 12},
    "zip": [{"batch_size": [8, 16, 24], "gpus": [1, 2, 3]}],
    "evaluate": {"features": ["pool", "embed"], "classifiers": ["kde", "gde"]},
    "tables": {"main": {"rows": "batch_size", "columns": "features,classifier"}},
}
ALONE = {**SPEC, "zip": [{"batch_size": [8, 16, 24]}]}
SILENCE = 1
MPI = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
       "OMPI_MCA_rmaps_base_oversubscribe": "1"}

table = undisturbed(ALONE)


def events(sweep, name):
    lines = pathlib.Path(sweep.db + ".events.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["event"] == name]


def seconds(event):
    text = event["at"]  # 2026-01-01T00:00:00.000Z
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1])


def members(sweep, lease):
    """The workers that were started for a lease."""
    return {(one["node"], one["worker"]) for kind in ("started", "joined") for one in events(sweep, kind)
            if one["lease"] == lease}


def ends_well(what, sweep, *more, says=None, timeout=60):
    result = sweep.run("--workers", "4", "--silence", str(SILENCE), *more, timeout=timeout)
    found = problems(sweep, table)
    if result.returncode != 0:
        found.append(f"exit code {result.returncode}: {result.stderr[-300:]}")
    if says and says not in result.stderr:
        found.append(f"does not say '{says}': {result.stderr[-300:]}")
    expect(not found, what + (": " + "; ".join(found) if found else ""))
    return result


def gang_fault(at, do, rank, times=1, size=3, **more):
    return {"beat_ms": 100, "step_ms": 3,
            "faults": [{"at": at, "do": do, "rank": rank, "times": times, "only": {"batch_size": 8 * size}, **more}]}


sweep = Sweep(SPEC, step_ms=2)
ends_well("gangs of 2 and 3 among trials alone give the table of trials alone", sweep)
sizes = sweep.query("SELECT device, count(*) FROM attempt GROUP BY 1 ORDER BY 1")
expect(sizes == [("2 x fake", 4), ("3 x fake", 4), ("fake", 4)], f"  attempts say their gang's size: {sizes}")
for one in events(sweep, "started"):
    if len(members(sweep, one["lease"])) != one.get("gang", 1):
        expect(False, f"  lease {one['lease']} has not all its members")

# ---- any member, at any point ----
for rank in (0, 1, 2):
    for at, step in (("start", None), ("step", 1), ("step", 7), ("checkpoint", 6), ("outcome", None)):
        if at == "checkpoint" and rank > 0:
            continue  # rank 0 writes them
        for do in ("kill", "stop"):
            sweep = Sweep(SPEC, **gang_fault(at, do, rank, **({} if step is None else {"step": step})))
            # One whose part was done may be missed by nobody before the sweep ends.
            says = None if at == "outcome" and rank > 0 else "the worker"
            ends_well(f"{do} of rank {rank} at {at}{'' if step is None else f' {step}'}", sweep, says=says)
            failed = sweep.query("SELECT lease, error, state FROM attempt WHERE state != 'completed'")
            if at == "outcome" and rank > 0 and not failed:
                continue  # its part was done, and rank 0 had all it needed
            expect(len(failed) == 1 and ("signal 9" if do == "kill" else "silent") in failed[0][1],
                   f"  one attempt ends, for the death and not for what the others made of it: {failed}")
            counts = at == "start" or step == 1  # before its first checkpoint
            expect(failed[0][2] == ("failed" if counts else "lost"), f"  and {'counts' if counts else 'does not count'}")
            lost = min(seconds(one) for one in events(sweep, "lost"))
            ended = [seconds(one) for one in events(sweep, "ended") if one["lease"] == failed[0][0]]
            began = [seconds(one) for one in events(sweep, "started") if one["lease"] == failed[0][0]]
            expect(len(ended) == 1 and ended[0] - lost <= 2, f"  the gang ends {ended[0] - lost:.2f} s after the loss")
            expect(ended[0] - began[0] <= SILENCE + 2 + 0.5, f"  and {ended[0] - began[0]:.2f} s after it began")
            # Only the victim was started anew.
            expect(len(events(sweep, "lost")) == 1, "  the others live on")

ends_well("a member that leaves for a reason", Sweep(SPEC, **gang_fault("step", "leave", 1, step=4)),
          says="left the gang of trial")
# Nobody comes to step 5 before the deaf one has come to 4.
sweep = Sweep(SPEC, beat_ms=100, step_ms=3, faults=[
    {"at": "step", "step": 4, "rank": 1, "do": "deaf", "only": {"batch_size": 24}},
    {"at": "step", "step": 5, "rank": 2, "do": "kill", "only": {"batch_size": 24}}])
ends_well("a member that does not leave when asked", sweep, says="was asked to leave the gang")
ends_well("a gang that stands still", Sweep(SPEC, **gang_fault("step", "block", 1, step=4)), "--stall", "1",
          says="stood still")
ends_well("a gang that ran out of memory", Sweep(SPEC, **gang_fault("step", "out-of-memory", 0, step=4)),
          says="ran out of memory")

# ---- a culprit past its attempts, and the others ----
culprit = {"class": 3, "batch_size": 24}
sweep = Sweep(SPEC, step_ms=1, faults=[{"at": "step", "step": 2, "rank": 1, "do": "kill", "times": 3, "only": culprit}])
result = sweep.run("--workers", "4")
expect(result.returncode == 3 and sweep.count("outcome") == 11, "a trial that kills its gang every time fails, alone")
left = sweep.occam("retry", sweep.db, "--dry-run").stdout.split()
explained = sweep.occam("explain", sweep.db, left[0]).stdout
expect("3 x fake" in explained and explained.count("signal 9") == 3, "  explain tells its size and its three ends")
sweep.occam("retry", sweep.db)
ends_well("  and after retry it comes through", sweep)

# ---- stopped, drained, cancelled ----
sweep = Sweep(SPEC, step_ms=60, beat_ms=100)
process = sweep.start("--workers", "4", "--walltime", "1.2", "--checkpoint-every", "0.1")
output, _ = process.communicate(timeout=60)
expect(process.returncode == 75, f"out of time with gangs running: exit 75, not {process.returncode}: {output[-300:]}")
states = dict(sweep.query("SELECT state, count(*) FROM attempt GROUP BY 1"))
expect(states.get("stopped", 0) > 0 and not set(states) - {"stopped", "completed"}, f"  they have stopped: {states}")
sweep.settings.write_text(sweep.settings.read_text().replace('"step_ms": 60', '"step_ms": 0'))
ends_well("  and the same command goes on", sweep)

sweep = Sweep(SPEC, step_ms=50, beat_ms=100)
process = sweep.start("--workers", "4")
wait_until(lambda: sweep.count("attempt WHERE state = 'running' AND device = '3 x fake'") == 1)
watched = sweep.occam("watch", sweep.db)
expect("(3 x fake)" in watched.stdout, "watch shows a gang")
gang = sweep.query("SELECT trial FROM attempt WHERE state = 'running' AND device = '3 x fake'")[0][0]
sweep.occam("cancel", sweep.db, gang)
output, _ = process.communicate(timeout=60)
expect(process.returncode == 0 and sweep.count("outcome") == 11, f"a cancelled gang leaves, the others go on: {output[-300:]}")
expect(not events(sweep, "lost"), "  and no worker is lost for it")

# ---- gangs that cannot be ----
sweep = Sweep(SPEC)
result = sweep.run("--workers", "2")
expect(result.returncode == 2 and "wants gpus 3, and this run has 2 workers in all" in result.stderr,
       f"a gang of more than there are is refused: {result.stderr[-300:]}")
expect(not pathlib.Path(sweep.db).exists(), "  before anything is made")

# ---- over two nodes ----
if shutil.which("mpirun") and (pathlib.Path(__import__("sys").argv[1]) / "occam-mpi.so").exists():
    class OverTwoNodes(Sweep):
        def command(self, *more):
            return ["mpirun", "--oversubscribe", "-n", "2", *super().command(*more)]

        @property
        def environment(self):
            return {**MPI, "OCCAM_FAKE": str(self.settings)}

    # Two workers a node: a gang of two stays on one, one of three spans both.
    sweep = OverTwoNodes(SPEC, step_ms=2)
    ends_well("over two nodes: the same table", sweep)
    spans = {one["lease"]: {node for node, _ in members(sweep, one["lease"])} for one in events(sweep, "started")}
    by_size = {size: [len(spans[one["lease"]]) for one in events(sweep, "started") if one.get("gang") == size]
               for size in (2, 3)}
    expect(set(by_size[2]) == {1} and set(by_size[3]) == {2}, f"  gangs of 2 on one node, of 3 on both: {by_size}")
    for rank in (0, 2):
        sweep = OverTwoNodes(SPEC, **gang_fault("step", "kill", rank, step=5))
        ends_well(f"  kill of rank {rank}", sweep, says="signal 9")
        sweep = OverTwoNodes(SPEC, **gang_fault("step", "stop", rank, step=5))
        ends_well(f"  stop of rank {rank}", sweep, says="was silent")
    sweep = OverTwoNodes(SPEC)
    result = sweep.run("--workers", "1")
    expect(result.returncode == 2 and "wants gpus 3" in result.stderr,
           f"  a gang of more than both have is refused: {result.returncode} {result.stderr[-300:]}")
finish()
