"""What the end-to-end tests share: starting occam, small real sweeps, reading what they left."""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
OCCAM = str(PROGRAMS / "occam")

# Real images, real training, seconds in all.
SMALL = {
    "name": "small",
    "trial": {"dataset": "fashion-mnist", "width": 0.125, "head_layers": 1, "learning_rate": 0.05,
              "train_limit": 128, "steps": 6},
    "grid": {"loss": ["contrastive", "rotation"], "batch_size": [8, 16], "class": [0, "sandal"]},
    "evaluate": {"test_limit": 300, "features": ["pool", "embed"],
                 "classifiers": ["oc-svm-rbf", "kde", "nearest", "rotation"]},
    "tables": {"main": {"rows": "batch_size", "columns": "loss,features,classifier"}},
}

failures = []


def expect(condition, what):
    print(("ok      " if condition else "FAILED  ") + what, flush=True)
    if not condition:
        failures.append(what)


def finish():
    print(f"{len(failures)} failed" if failures else "all as expected")
    sys.exit(1 if failures else 0)


class Folder:
    """A temporary folder with a spec in it."""

    def __init__(self, spec=SMALL):
        self._temporary = tempfile.TemporaryDirectory(prefix="occam-test-")
        self.path = pathlib.Path(self._temporary.name)
        self.spec = self.write("spec.json", json.dumps(spec))
        self.db = str(self.path / "occam.db")

    def write(self, name, text):
        file = self.path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    def command(self, *more):
        return [OCCAM, "run", self.spec, "--db", self.db, "--device", "cpu", *more]

    def evaluations(self):
        """Every recorded score, without what depends on time and place."""
        with sqlite3.connect(self.db) as database:
            return database.execute(
                "SELECT e.trial, split, features, classifier, parameters, auroc, average_precision, fpr95,"
                " outliers, inliers FROM evaluation e JOIN outcome o USING (trial, attempt)"
                " WHERE o.retired_at IS NULL ORDER BY 1, 2, 3, 4, 5").fetchall()

    def query(self, sql):
        with sqlite3.connect(self.db) as database:
            return database.execute(sql).fetchall()

    def outcomes(self):
        with sqlite3.connect(self.db) as database:
            return database.execute("SELECT count(*) FROM outcome WHERE retired_at IS NULL").fetchone()[0]

    def table(self):
        return run([OCCAM, "table", self.db, "--format", "csv"]).stdout


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)


def start(command, **options):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long")
        time.sleep(0.05)


def children(pid):
    """Process ids of a process's children."""
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def count(db, what):
    """Rows of a database that may not exist yet."""
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM " + what).fetchone()[0]
    except sqlite3.Error:
        return 0


def running_attempts(db):
    return count(db, "attempt WHERE state = 'running'")


def done_trials(db):
    return count(db, "outcome")


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
