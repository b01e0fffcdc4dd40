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
finish()
