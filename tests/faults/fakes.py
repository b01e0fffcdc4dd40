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
HAVE_MPI = (PROGRAMS / "occam-mpi.so").exists()
FAULTY_CALLS = str(PROGRAMS / "faulty-calls.so")

# 32 trials of 12 steps; every score is made of all steps.
SPEC = {
    "name": "faults",
    "trial": {"dataset": "synthetic", "class": "all", "steps": 12},
    "grid": {"seed": [1, 2], "batch_size": [8, 16, 32, 64]},
    "evaluate": {"features": ["pool", "embed"], "classifiers": ["kde", "gde"]},
    "tables": {"main": {"rows": "batch_size", "columns": "features,classifier"}},
}


class Sweep:
    """A folder with a spec and a database, and fake workers that do as the settings say; or real ones."""

    def __init__(self, spec=SPEC, folder=None, worker=FAKE, **settings):
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="occam-faults-")
        self.path = pathlib.Path(folder or self._temporary.name)
        self.path.mkdir(exist_ok=True)
        self.db = str(self.path / "occam.db")
        self.spec = str(self.path / "spec.json")
        self.marks = self.path / "marks"
        self.marks.mkdir()
        self.scores = len(spec["evaluate"]["features"]) * len(spec["evaluate"]["classifiers"])
        self.worker = ["--worker", worker] if worker else []
        self.preload = {}
        pathlib.Path(self.spec).write_text(json.dumps(spec))
        self.settings = self.path / "fake.json"
        self.settings.write_text(json.dumps({"marks": str(self.marks), "checkpoint_steps": 3, **settings}))

    def keep(self):
        """Leaves the folder behind, for whoever looks into what went wrong."""
        if self._temporary:
            self._temporary._finalizer.detach()

    def command(self, *more):
        workers = [] if "--workers" in more else ["--workers", "2"]
        return [OCCAM, "run", self.spec, "--db", self.db, "--device", "cpu", *self.worker, *workers, *more]

    @property
    def environment(self):
        mpi = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
        return {**os.environ, **mpi, "OCCAM_FAKE": str(self.settings), "TMPDIR": str(self.marks), **self.preload}

    def break_calls(self, *rules):
        """Rules of faulty_calls.cc for all that is started from now on; one that ends with "once" strikes once."""
        lines = [rule.removesuffix("once") + (str(self.marks / f"call-{i}") if rule.endswith("once") else "")
                 for i, rule in enumerate(rules)]
        (self.path / "calls").write_text("\n".join(lines) + "\n")
        self.preload = {"LD_PRELOAD": FAULTY_CALLS, "OCCAM_FAULTY_CALLS": str(self.path / "calls")} if rules else {}

    def shift_clock(self, hours):
        """The wall clock of what is started after the first shift, now and later."""
        (self.path / "clock~").write_text(str(3600 * hours))
        (self.path / "clock~").rename(self.path / "clock")
        self.preload = {"LD_PRELOAD": FAULTY_CALLS, "OCCAM_CLOCK": str(self.path / "clock")}

    def run(self, *more, largest_file=None, timeout=60):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
        return subprocess.run(self.command(*more), env=self.environment, capture_output=True, text=True, errors="replace",
                              timeout=timeout, preexec_fn=limit if largest_file else None)

    def start(self, *more, launcher=()):
        return subprocess.Popen([*launcher, *self.command(*more)], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def occam(self, *words):
        return subprocess.run([OCCAM, *words], capture_output=True, text=True, errors="replace", timeout=60)

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

    def events(self):
        return [json.loads(line) for line in pathlib.Path(self.db + ".events.jsonl").read_text().splitlines()]

    def table(self):
        return self.occam("table", self.db, "--format", "csv").stdout

    def spooled(self):
        """Trials of the outcomes that wait for a database that can be written."""
        elsewhere = [file for folder in ("/var/tmp", "/tmp")
                     for file in pathlib.Path(folder).glob(f"occam-{os.getuid()}-*-{self.path.name}-occam.db-*.spool")]
        lines = [line for file in [pathlib.Path(self.db + ".spool"), *elsewhere] if file.exists()
                 for line in file.read_text().split("\n") if '"type":"outcome"' in line and line.endswith("}")]
        return [json.loads(line)["trial"] for line in lines]

    def spooled_alone(self):
        """Whether some of them are nowhere else: a call that fails may have done its work nevertheless."""
        recorded = {row[0] for row in self.query("SELECT trial FROM outcome")} if self.count("outcome") else set()
        return not set(self.spooled()) <= recorded


def undisturbed(spec=SPEC, **settings):
    sweep = Sweep(spec, **settings)
    result = sweep.run(timeout=600)
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
    if sweep.count(f"(SELECT 1 FROM evaluation GROUP BY trial HAVING count(*) != {sweep.scores})") != 0:
        found.append("a trial has not all its scores")
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
        return [int(p) for p in pids if "-worker" in pathlib.Path(f"/proc/{p}/cmdline").read_text().split("\0")[0]]
    except OSError:
        return []


def ends_well(what, sweep, table, *more, says=None, timeout=60, code=0):
    """One run, through whatever its faults do, to a whole and right table."""
    result = sweep.run(*more, timeout=timeout)
    found = problems(sweep, table)
    if result.returncode != code:
        found.append(f"exit code {result.returncode}: {result.stderr[-300:]}")
    if says and says not in result.stderr:
        found.append(f"does not say '{says}': {result.stderr[-300:]}")
    expect(not found, what + (": " + "; ".join(found) if found else ""))
    return result


def mpirun(size):
    return ["mpirun", "--oversubscribe", "-n", str(size)]


def ranks(launcher):
    """Process ids of the ranks that mpirun has started, by rank."""
    found = {}
    try:
        for pid in pathlib.Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
            words = pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0")
            found.update({int(word.split("=")[1]): int(pid) for word in words if word.startswith("OMPI_COMM_WORLD_RANK=")})
    except OSError:
        pass
    return found


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
