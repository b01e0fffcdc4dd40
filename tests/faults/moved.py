"""The database's files removed or replaced under a running sweep: it notices, and what it recorded is in a copy.

Usage: moved.py BIN
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import sqlite3

import fakes
from fakes import Sweep, expect, finish, problems, undisturbed, wait_until

table = undisturbed()


def begun(journal="wal", folder=None):
    sweep = Sweep(step_ms=20, beat_ms=100)
    if folder:
        (sweep.path / folder).mkdir()
        sweep.db = str(sweep.path / folder / "occam.db")
    process = sweep.start("--journal", journal)
    wait_until(lambda: sweep.count("outcome") >= 4)
    return sweep, process


def remove(*ends):
    def change(sweep):
        for file in pathlib.Path(sweep.db).parent.glob("occam.db*"):
            if file.name.removeprefix("occam.db") in ends and file.is_file():
                file.unlink()
    return change


def replace(sweep):
    other = Sweep()
    other.run("--limit", "2")
    shutil.move(other.db, sweep.db + ".new")
    os.rename(sweep.db + ".new", sweep.db)


def move_and_link(sweep):
    os.rename(sweep.db, sweep.db + ".moved")
    os.symlink(sweep.db + ".moved", sweep.db)


def lose_folder(sweep):
    os.rename(pathlib.Path(sweep.db).parent, sweep.path / "elsewhere")


for what, change, journal, folder in (
        ("all files are removed", remove("", "-wal", "-shm", ".lock", ".events.jsonl"), "wal", None),
        ("the database is removed, and its log is not", remove(""), "wal", None),
        ("the log is removed", remove("-wal", "-shm"), "wal", None),
        ("another is put in its place", replace, "wal", None),
        ("with a rollback journal all files are removed", remove("", ".lock"), "rollback", None),
        ("it is moved, and a link to it put in its place", move_and_link, "wal", None),
        ("the folder is moved away", lose_folder, "wal", "there")):
    sweep, process = begun(journal, folder)
    change(sweep)
    output, _ = process.communicate(timeout=60)
    said = re.search(r"occam: .*\.db(-wal)?: was removed, or another file put in its place.* is in (\S+)\n  to go on: .*mv ", output)
    expect(process.returncode == 1 and said, f"{what}: {process.returncode} {output[-400:]}")
    if not said:
        continue
    pathlib.Path(sweep.db).parent.mkdir(exist_ok=True)
    os.replace(said[2], sweep.db)
    done = sweep.count("outcome")
    expect(done >= 4, f"  all {done} outcomes are in the copy")
    result = sweep.run()
    found = problems(sweep, table)
    expect(result.returncode == 0 and not found, f"  in its place it goes on {found} {result.stderr[-300:] if found else ''}")
    expect(sweep.count("attempt WHERE state NOT IN ('completed', 'stopped')") == 0, "  and repeats nothing")

# ---- where the copy cannot be made beside it, or not yet ----
def loses(sweep, *more):
    process = sweep.start(*more)
    wait_until(lambda: sweep.count("outcome") >= 4)
    remove("", "-wal", "-shm", ".lock")(sweep)
    return process


def rescued(what, sweep, process):
    output, _ = process.communicate(timeout=60)
    said = re.search(r"is in (\S+)\n  to go on: .*mv ", output)
    expect(process.returncode == 1 and said, f"{what}: {process.returncode} {output[-600:]}")
    if not said:
        return
    shutil.copy(said[1], sweep.db)
    done = sweep.count("outcome")
    sweep.break_calls()
    result = sweep.run()
    found = problems(sweep, table)
    expect(result.returncode == 0 and not found and done >= 4, f"  in its place it goes on, with {done} outcomes {found}")


sweep = Sweep(step_ms=20, beat_ms=100)
sweep.break_calls(f"write {sweep.path}/occam.db.rescued* 1+ ENOSPC")
rescued("a disk that is full takes no copy: the folder for temporary files has it", sweep, loses(sweep))
sweep = Sweep(step_ms=20, beat_ms=100)
sweep.break_calls(*4 * ["write *occam.db.rescued* 1 ENOSPC"])
rescued("nor has that room: it is tried again", sweep, loses(sweep))
sweep = Sweep(step_ms=20, beat_ms=100)
process = sweep.start("--journal", "rollback")
wait_until(lambda: sweep.count("outcome") >= 4)
with contextlib.closing(sqlite3.connect(sweep.db, isolation_level=None, timeout=30)) as other:
    other.execute("BEGIN EXCLUSIVE")
    remove("")(sweep)
    wait_until(lambda: any(event["event"] == "draining" for event in sweep.events()))
rescued("another program has it locked: it is copied afterwards", sweep, process)
sweep = Sweep(step_ms=20, beat_ms=100)
sweep.break_calls("write *occam.db.rescued* 1+ ENOSPC")
output, _ = loses(sweep).communicate(timeout=60)
expect("can be copied nowhere" in output and "all that was recorded is in" not in output, f"no room anywhere: it says so {output[-600:]}")

# ---- and the copy of it, too, while a worker still keeps the run ----
sweep = Sweep(step_ms=20, beat_ms=100)
process = sweep.start("--silence", "8")
wait_until(lambda: sweep.count("outcome") >= 4)
fakes.send(fakes.children(process.pid)[0], signal.SIGSTOP)
remove("", "-wal", "-shm", ".lock")(sweep)
copy = pathlib.Path(sweep.db + ".rescued")
wait_until(lambda: copy.exists() and copy.stat().st_size > 0 and pathlib.Path(f"{copy}-wal").exists())
remove(".rescued", ".rescued-wal", ".rescued-shm", ".rescued.lock")(sweep)
output, _ = process.communicate(timeout=60)
said = re.findall(r"mv (\S+) (\S+), and the same command again", output)
# A copy that went while it was made has another's name, and is no copy of the copy.
expect(process.returncode == 1 and said and said[-1][0].startswith(f"{copy}") and said[-1][1] == sweep.db,
       f"the copy is removed as well: its own copy takes the name that was given: {process.returncode} {output[-600:]}")

# The lock alone can be taken anew.
sweep, process = begun()
remove(".lock")(sweep)
wait_until(lambda: pathlib.Path(sweep.db + ".lock").exists())
second = sweep.run()
process.communicate(timeout=60)
found = problems(sweep, table)
expect(process.returncode == 0 and not found, f"the lock is removed: the run takes it anew and goes on {found}")
expect(second.returncode == 1 and "writes it" in second.stderr, "  and others stay out")
finish()
