"""The scores of a trained trial agree with scikit-learn's on the features that occam-worker keeps."""

import json
import os
import pathlib
import subprocess
import sys

from sweeps import PROGRAMS, Folder, expect, finish, run

python = next((p for p in (os.environ.get("OCCAM_PYTHON"), "/usr/bin/python3", sys.executable) if p and
               subprocess.run([p, "-c", "import sklearn"], capture_output=True).returncode == 0), None)
if python is None:
    print("skipped: no Python here has scikit-learn; install python3-sklearn, or name one in OCCAM_PYTHON")
    sys.exit(77)

folder = Folder()
classifiers = ["oc-svm-rbf", "oc-svm-linear", "kde", "gde", "nearest"]
for loss in ("contrastive", "rotation"):
    trial = folder.write(loss + ".json", json.dumps({
        "config": {"dataset": "synthetic", "class": 2, "loss": loss, "width": 0.125, "head_layers": 1,
                   "learning_rate": 0.05, "train_limit": 300, "steps": 10},
        "evaluations": [{"features": "pool", "classifier": name} for name in classifiers]}))
    exported = folder.path / loss
    result = run([str(PROGRAMS / "occam-worker"), "train", trial, "--keep", str(exported),
                  "--work", str(folder.path / "work")])
    expect(result.returncode == 0, f"{loss}: the trial ends with 0 {result.stderr[-300:] if result.returncode else ''}")
    ours = {e["classifier"]: e for e in json.loads(result.stdout)["evaluations"]}
    oracle = pathlib.Path(__file__).parents[1] / "worker" / "scores_oracle.py"
    theirs = json.loads(subprocess.run([python, str(oracle), str(exported)], capture_output=True, check=True).stdout)
    for name in classifiers:
        difference = abs(ours[name]["auroc"] - theirs[name]["auroc"])
        expect(difference <= 1e-4, f"{loss} {name}: AUROC {ours[name]['auroc']:.6f}, scikit-learn "
                                   f"{theirs[name]['auroc']:.6f}, apart by {difference:.1e}")
finish()
