"""What the fault tests share: sweeps of fake workers (fake_worker.cc) and what must hold after any of them."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"))
from sweeps import OCCAM, PROGRAMS, expect, finish  # noqa: E402, F401  (for the tests that import this)

FAKE = str(PROGRAMS / "fake-worker")

# 32 trials of 12 steps; every score is made of all steps.
SPEC = {
    "name": "faults",
    "trial": {"dataset": "synthetic", "class": "all", "steps": 12},
    "grid": {"seed": [1, 2], "batch_size": [8, 16, 32, 64]},
    "evaluate": {"features": ["pool", "embed"], "classifiers": ["kde", "gde"]},
    "tables": {"main": {"rows": "batch_size", "columns": "features,classifier"}},
}


class Sweep:
    """A folder with a spec and a database, and fake workers that do as the settings say."""

    def __init__(self, spec=SPEC, folder=None, **settings):
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="occam-faults-")
        self.path = pathlib.Path(folder or self._temporary.name)
        self.path.mkdir(exist_ok=True)
        self.db = str(self.path / "occam.db")
        self.spec = str(self.path / "spec.json")
        self.marks = self.path / "marks"
        self.marks.mkdir()
        pathlib.Path(self.spec).write_text(json.dumps(spec))
        self.settings = self.path / "fake.json"
        self.settings.write_text(json.dumps({"marks": str(self.marks), "checkpoint_steps": 3, **settings}))

    def keep(self):
        """Leaves the folder behind, for whoever looks into what went wrong."""
        if self._temporary:
            self._temporary._finalizer.detach()

    def command(self, *more):
        workers = [] if "--workers" in more else ["--workers", "2"]
        return [OCCAM, "run", self.spec, "--db", self.db, "--worker", FAKE, "--device", "cpu", *workers, *more]

    @property
    def environment(self):
        return {**os.environ, "OCCAM_FAKE": str(self.settings)}

    def run(self, *more, largest_file=None, timeout=60):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
        return subprocess.run(self.command(*more), env=self.environment, capture_output=True, text=True, timeout=timeout,
                              preexec_fn=limit if largest_file else None)

    def start(self, *more):
        return subprocess.Popen(self.command(*more), env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def occam(self, *words):
        return subprocess.run([OCCAM, *words], capture_output=True, text=True, timeout=60)

    def query(self, sql):
        # Closed at once: an open reader would keep a stale index of a log that a test cuts.
        with contextlib.closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def count(self, what):
        """Rows of a database that may not exist yet."""
        try:
            return self.query("SELECT count(*) FROM " + what)[0][0]
        except sqlite3.Error:
            return 0

    def table(self):
        return self.occam("table", self.db, "--format", "csv").stdout


def undisturbed(spec=SPEC):
    sweep = Sweep(spec)
    result = sweep.run()
    assert result.returncode == 0, result.stderr
    return sweep.table()


def problems(sweep, table):
    """What is wrong with a sweep that has ended, against the table of an undisturbed one; empty when all is well."""
    found = []
    trials = sweep.count("sweep_trial")
    if sweep.count("outcome WHERE retired_at IS NULL") != trials:
        found.append(f"{sweep.count('outcome WHERE retired_at IS NULL')} outcomes of {trials} trials")
    if sweep.count("outcome") != trials:
        found.append("an outcome was recorded twice")
    if sweep.count("(SELECT 1 FROM evaluation GROUP BY trial HAVING count(*) != 4)") != 0:
        found.append("a trial has not its four scores")
    if sweep.count("attempt WHERE state = 'running'") != 0:
        found.append("an attempt counts as running")
    if sweep.table() != table:
        found.append("the table differs")
    if pathlib.Path(sweep.db + ".work").exists():
        found.append("checkpoints are left")
    return found


def children(pid):
    """The workers of a coordinator; one that it is only just making still has the coordinator's own name."""
    try:
        pids = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(p) for p in pids if FAKE in pathlib.Path(f"/proc/{p}/cmdline").read_text().split("\0")[0]]
    except OSError:
        return []


def send(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long")
        time.sleep(0.005)
