"""Another program as worker: the example trains scikit-learn's PCA through occam run --worker."""

import os
import pathlib
import subprocess
import sys

from sweeps import OCCAM, Folder, expect, finish, run

python = next((p for p in (os.environ.get("OCCAM_PYTHON"), "/usr/bin/python3", sys.executable) if p and
               subprocess.run([p, "-c", "import sklearn"], capture_output=True).returncode == 0), None)
if python is None:
    print("skipped: no Python here has scikit-learn; install python3-sklearn, or name one in OCCAM_PYTHON")
    sys.exit(77)
if not pathlib.Path(os.environ.get("OCCAM_DATA", "/usr/share/datasets"), "fashion-mnist").exists():
    print("skipped: the example reads Fashion-MNIST from Debian's package dataset-fashion-mnist, which is not here")
    sys.exit(77)

SPEC = {
    "name": "pca",
    "trial": {"dataset": "fashion-mnist", "epochs": 0, "train_limit": 300},
    "grid": {"class": ["trouser", "bag"], "extra": [{"components": 2}, {"components": 32}]},
    "evaluate": {"features": ["embed"], "classifiers": ["gde", "nearest"]},
    "tables": {"main": {"rows": "extra", "columns": "classifier"}},
}
folder = Folder(SPEC)
example = pathlib.Path(__file__).parents[2] / "worker" / "example.py"
worker = pathlib.Path(folder.write("worker", f"#!/bin/sh\nexec '{python}' '{example}'\n"))
worker.chmod(0o755)

result = run(folder.command("--worker", str(worker), "--workers", "1"))
expect(result.returncode == 0, f"the sweep ends with 0 {result.stderr[-500:] if result.returncode else ''}")
scores = folder.evaluations()
expect(len(scores) == 8, f"every trial has its two scores: {len(scores)} of 8")
table = run([OCCAM, "table", folder.db, "--format", "csv"]).stdout
expect('components' in table, "the table has a row for every value of extra")
by_class = run([OCCAM, "query", folder.db, "--where", 'extra={"components":32}', "--format", "csv"]).stdout
expect(by_class.count("trouser") == 2, "results can be asked for by extra")

# What the worker said is what scikit-learn says of the same rows, computed here without occam.
oracle = subprocess.run([python, "-c", """
import gzip, numpy, pathlib, sys
from sklearn import decomposition, metrics, mixture
folder = pathlib.Path(sys.argv[1])
read = lambda name, offset: numpy.frombuffer(gzip.open(folder / (name + '-ubyte.gz')).read(), numpy.uint8, offset=offset)
train, test = (read(p + '-images-idx3', 16).reshape(-1, 784) / 255 for p in ('train', 't10k'))
train = train[read('train-labels-idx1', 8) == 1][:300]
pca = decomposition.PCA(32, random_state=1).fit(train)
scores = -mixture.GaussianMixture(1).fit(pca.transform(train)).score_samples(pca.transform(test))
print(metrics.roc_auc_score(read('t10k-labels-idx1', 8) != 1, scores))
""", str(pathlib.Path(os.environ.get("OCCAM_DATA", "/usr/share/datasets"), "fashion-mnist"))],
    capture_output=True, text=True, check=True).stdout
found = run([OCCAM, "query", folder.db, "SELECT auroc FROM results WHERE class_name = 'trouser' AND classifier = 'gde' "
             "AND extra = '{\"components\":32}'", "--format", "csv"]).stdout.split()[-1]
expect(abs(float(found) - float(oracle)) < 1e-9, f"AUROC {found}, scikit-learn alone {oracle.strip()}")

again = run(folder.command("--worker", str(worker), "--workers", "1"))
expect("0 to run" in again.stderr, "a second run finds nothing to do")
ours = run(
    [OCCAM, "run", folder.spec, "--db", str(folder.path / "ours.db"), "--device", "cpu"])
expect(ours.returncode == 2 and "--worker" in ours.stderr,
       f"extra without --worker is refused before anything starts: {ours.stderr.strip()[-200:]}")
finish()
