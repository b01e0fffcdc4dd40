"""Sweeps that are asked for more scores of trials that they have trained, are training, or have given up.

Usage: more_scores.py BIN
"""

import json
import pathlib

from fakes import SPEC, Sweep, expect, finish, wait_until

SMALL = {"name": "faults", "trial": {"dataset": "synthetic", "steps": 12, "batch_size": 8},
         "grid": {"class": [0, 1, 2, 3]}, "evaluate": {"features": ["pool"], "classifiers": ["kde"]}}


def more(spec):
    return {**spec, "evaluate": {"features": ["pool"], "classifiers": ["kde", "gde"]}}


def scored(sweep, classifier):
    return sweep.count(f"evaluation JOIN outcome USING (trial, attempt) WHERE retired_at IS NULL AND classifier = '{classifier}'")


def asked_for_more(**fault):
    """A sweep that is done but for one classifier, whose trial of class 0 meets a fault."""
    sweep = Sweep(SMALL)
    sweep.run()
    pathlib.Path(sweep.spec).write_text(json.dumps(more(SMALL)))
    sweep.settings.write_text(json.dumps({"marks": str(sweep.marks), "checkpoint_steps": 3,
                                          "faults": [{"times": 3, "only": {"class": 0}, **fault}]}))
    return sweep


# ---- one that diverges when it is trained again keeps what it had, and the others come through ----
sweep = asked_for_more(at="outcome", do="diverge")
result = sweep.run()
expect(result.returncode == 3 and "its earlier outcome stays" in result.stderr,
       f"one trial diverges when trained again: {result.returncode} {result.stderr[-400:]}")
expect((scored(sweep, "kde"), scored(sweep, "gde")) == (4, 3), "  the others have their new scores, and it its old ones")
expect(sweep.count("attempt WHERE state = 'failed'") == 3, "  after all its attempts")
again = sweep.run()
expect(again.returncode == 3 and "0 to run, 1 failed" in again.stderr and f"occam retry {sweep.db}" in again.stderr,
       f"  a rerun counts it as failed and names retry: {again.returncode} {again.stderr[-300:]}")
given_up = sweep.occam("retry", sweep.db, "--dry-run").stdout.split()
expect(given_up == [row[0] for row in sweep.query("SELECT trial FROM attempt WHERE state = 'failed' LIMIT 1")],
       f"  retry finds it: {given_up}")
expect("3 attempts for more scores have failed" in sweep.occam("explain", sweep.db, given_up[0]).stdout, "  explain tells")
sweep.occam("retry", sweep.db)
again = sweep.run()
expect(again.returncode == 0 and (scored(sweep, "kde"), scored(sweep, "gde")) == (4, 4), "  and after retry it has all")

# ---- retried while it runs ----
sweep = asked_for_more(at="start", do="fail")
sweep.settings.write_text(json.dumps({**json.loads(sweep.settings.read_text()), "step_ms": 60}))
process = sweep.start("--workers", "1")
wait_until(lambda: sweep.count("attempt WHERE state = 'failed'") == 3)
retried = sweep.occam("retry", sweep.db)
output, _ = process.communicate(timeout=60)
expect("1 trials have all their attempts again" in retried.stdout and process.returncode == 0 and scored(sweep, "gde") == 4,
       f"retried while the others run, it has them in that sweep: {retried.stdout}{retried.stderr} {output[-300:]}")

# ---- more scores while it runs: of what is done, what runs, what waits, and what was cancelled ----
one_score = {**SPEC, "evaluate": {"features": ["pool"], "classifiers": ["kde"]}, "tables": {}}
sweep = Sweep(one_score, step_ms=25)
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 4)
wider = pathlib.Path(sweep.path, "wider.json")
wider.write_text(json.dumps(more(one_score)))
added = sweep.occam("add", str(wider), "--db", sweep.db)
expect(added.returncode == 0 and "32 to run" in added.stdout and "32 of them had been part" in added.stdout,
       f"more scores are added: {added.stdout}{added.stderr}")
output, _ = process.communicate(timeout=60)
expect(process.returncode == 0 and (scored(sweep, "kde"), scored(sweep, "gde")) == (32, 32),
       f"  and every trial brings them in that sweep: {output[-300:]}")
expect(32 < sweep.count("outcome") < 64, f"  those that waited are trained once ({sweep.count('outcome')} outcomes)")
expect(not pathlib.Path(sweep.db + ".work").exists(), "  no checkpoint is left")

# ---- a coordinator that dies after an add: its command goes on with all of it ----
sweep = Sweep({**one_score, "grid": {"seed": [1], "batch_size": [8]}}, step_ms=40)
process = sweep.start()
wait_until(lambda: sweep.count("attempt") >= 1)
wider = pathlib.Path(sweep.path, "wider.json")
wider.write_text(json.dumps({**more(one_score), "grid": {"seed": [1, 2], "batch_size": [8]}}))
added = sweep.occam("add", str(wider), "--db", sweep.db)
process.kill()
process.communicate()
planned = sweep.occam("plan", str(sweep.spec), "--db", sweep.db, "--workers", "1")
expect("goes on with what occam add has made of it" in planned.stderr and "8 trials" in planned.stdout
       and "orphaned" not in planned.stdout, f"plan knows that: {planned.stdout}{planned.stderr}")
result = sweep.run()
expect(added.returncode == 0 and result.returncode == 0 and "goes on with what occam add has made of it, 8 trials where it "
       "names 4" in result.stderr and (scored(sweep, "kde"), scored(sweep, "gde")) == (8, 8),
       f"killed after an add, the command that began it brings all: {added.stdout}{added.stderr} {result.stderr[-400:]}")

sweep = Sweep(one_score, step_ms=40)
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 1)
sweep.occam("cancel", sweep.db, "--where", "seed=2")
expect(" cancelled" in sweep.occam("watch", sweep.db).stdout, "watch counts what was cancelled")
other = pathlib.Path(sweep.path, "other.json")
other.write_text(json.dumps({**one_score, "name": "other", "grid": {"seed": [2], "batch_size": [8]}}))
added = sweep.occam("add", str(other), "--db", sweep.db)
output, _ = process.communicate(timeout=60)
here = sweep.count("trials WHERE sweep = 'other' AND state = 'completed'")
expect(added.returncode == 0 and here == 4 and sweep.count(
           "sweep_trial WHERE cancelled_at IS NOT NULL AND trial IN (SELECT trial FROM sweep_trial WHERE sweep = 'other')") > 0,
       f"trials that one sweep cancelled run for another: {added.stdout}{added.stderr} {here}")
left = sweep.count("trials WHERE state = 'cancelled'")
expect(left > 0 and f"{left} cancelled" in output, f"  and the run's last line counts the others: {output[-200:]}")
finish()
