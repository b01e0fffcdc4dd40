"""Other programs that lock the database under a running sweep: it goes on, loses nothing, and takes all in afterwards.

Usage: locks.py BIN
"""

import contextlib
import os
import signal
import sqlite3
import subprocess

import fakes
from fakes import OCCAM, Sweep, expect, finish, problems, send, undisturbed, wait_until

table = undisturbed()


@contextlib.contextmanager
def writing(sweep):
    """As a sqlite3 shell in which somebody said BEGIN IMMEDIATE and went for lunch."""
    with contextlib.closing(sqlite3.connect(sweep.db, isolation_level=None, timeout=30)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def reading(sweep):
    """As a query whose rows go into a pager."""
    with contextlib.closing(sqlite3.connect(f"file:{sweep.db}?mode=ro", uri=True, timeout=30)) as database:
        rows = database.execute("SELECT * FROM trial")
        rows.fetchone()
        yield


CASES = (("a writer beside a write-ahead log", writing, "wal"), ("a writer beside a rollback journal", writing, "rollback"),
         ("a reader beside a rollback journal", reading, "rollback"))


def begun(journal, **settings):
    sweep = Sweep(step_ms=20, beat_ms=100, **settings)
    process = sweep.start("--journal", journal)
    wait_until(lambda: sweep.count("outcome") >= 2)
    return sweep, process


# ---- the training goes on meanwhile ----
for what, lock, journal in CASES:
    sweep, process = begun(journal)
    with lock(sweep):
        before = sweep.count("outcome")
        wait_until(lambda: len(sweep.spooled()) >= 12)
        expect(sweep.count("outcome") == before, f"{what}: {len(sweep.spooled())} outcomes wait beside it")
    output, _ = process.communicate(timeout=60)
    found = problems(sweep, table)
    expect(process.returncode == 0 and not found and not sweep.spooled(), f"  then it takes them in {found} {output[-300:]}")
    expect(sweep.count("attempt") == 32, "  and nothing is trained twice")

# ---- it says whose lock that is, and ends when that does not go ----
sweep, process = begun("wal")
with writing(sweep):
    wait_until(lambda: len(sweep.spooled()) >= 4)
    status = sweep.occam("status", sweep.db).stdout
    asked = sweep.occam("cancel", sweep.db, "--where", "seed=2")
    output, _ = process.communicate(timeout=120)
    waiting = len(sweep.spooled())
    later = sweep.occam("status", sweep.db).stdout
expect(asked.returncode == 1 and "keeps it locked" in asked.stderr, f"a request has to wait for that: {asked.stderr}")
expect(process.returncode == 1 and f"process {os.getpid()}) keeps it locked" in output and
       output.count("the training goes on") == 1, f"a lock that stays: {output[-600:]}")
expect(f"{waiting} outcomes wait in {sweep.db}.spool" in output and sweep.count("attempt WHERE state = 'running'") > 0,
       "  the run ends, and its outcomes are in the spool")
expect("wait" in status and "the running sweep takes them in" in status, f"  status says so while it runs: {status}")
expect(f"{waiting} more outcome" in later and "the next occam run takes them in" in later, f"  and afterwards: {later}")
fakes.ends_well("  from where the next one takes them", sweep, table, says=f"{waiting} outcomes taken in")
expect(sweep.count("attempt") == 32, "  and trains nothing twice")

expect("more outcomes" not in sweep.occam("status", sweep.db).stdout, "  of which status has no more to say")

# ---- stopped meanwhile ----
sweep, process = begun("wal")
with writing(sweep):
    wait_until(lambda: len(sweep.spooled()) >= 4)
    send(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
expect(process.returncode == 75 and "outcomes wait in" in output, f"stopped behind a lock: {process.returncode} {output[-300:]}")
fakes.ends_well("  the same command goes on", sweep, table, says="outcomes taken in")

# ---- a coordinator that dies meanwhile ----
for what, lock, journal in CASES:
    sweep, process = begun(journal)
    with lock(sweep):
        wait_until(lambda: len(sweep.spooled()) >= 6)
        send(process.pid)
        process.communicate()
        waiting = len(sweep.spooled())
    fakes.ends_well(f"killed beside {what}, with {waiting} outcomes in the spool", sweep, table, says="taken in")
    expect(sweep.count("attempt WHERE state != 'completed'") <= 2, "  only what was under way is trained again")

# ---- our own readers hold nothing while their output is not taken ----
sweep = Sweep(step_ms=1)
sweep.run("--journal", "rollback")
reader = subprocess.Popen([OCCAM, "query", sweep.db, "SELECT a.*, b.trial FROM results a, results b"], stdout=subprocess.PIPE)
first = reader.stdout.read(1)
with contextlib.closing(sqlite3.connect(sweep.db, isolation_level=None, timeout=0)) as database:
    database.execute("BEGIN EXCLUSIVE")
    database.execute("ROLLBACK")
rest = reader.communicate()[0]
expect(reader.returncode == 0 and len(rest) > 1_000_000, "rows into a pipe that nobody empties hold no lock")
finish()
