"""Shards of one sweep, merged in any order, print the table of one run; a merge that is refused changes nothing."""

import pathlib
import sqlite3

from sweeps import OCCAM, PROGRAMS, Folder, expect, finish, run

folder = Folder()


def sample(name, *words):
    path = str(folder.path / name)
    made = run([str(PROGRAMS / "sample_store"), path, *words])
    expect(made.returncode == 0, f"{name} is made: {made.stderr}")
    return path


def merge(out, *words):
    return run([OCCAM, "merge", str(folder.path / out), *words])


def table(path):
    return run([OCCAM, "table", str(path), "--format", "csv"]).stdout


whole = sample("whole.db")
shards = [sample(f"seed{seed}.db", "--seeds", str(seed)) for seed in (1, 2, 3)]
for name, order in (("forward.db", shards), ("backward.db", shards[::-1])):
    result = merge(name, *order)
    expect(result.returncode == 0, f"{name}: {result.stderr}")
    expect("360 of 360 trials of sweep batch-size done" in result.stdout, f"{name}: says so: {result.stdout}")
    expect(table(folder.path / name) == table(whole), f"{name}: has the table of one run")
    views = [run([OCCAM, "export", path, "--view", view]).stdout
             for view in ("results", "curves") for path in (str(folder.path / name), whole)]
    expect(views[0] == views[1] and views[2] == views[3], f"{name}: exports the same bytes as one run")

two_and_three = merge("late.db", *shards[1:])
expect(two_and_three.returncode == 0 and "240 of 360" in two_and_three.stdout, "two of three shards")
again = merge("late.db", shards[0], shards[1])
expect("120 results there before with equal results" in again.stdout and "360 of 360" in again.stdout,
       f"a shard that comes later, and one that came before: {again.stdout}")

with sqlite3.connect(shards[2]) as database:
    database.execute("UPDATE evaluation SET auroc = auroc / 2 WHERE classifier = 'kde'")
before = table(folder.path / "late.db")
refused = merge("late.db", shards[2])
expect(refused.returncode == 1 and "nothing was merged" in refused.stderr and "and 115 more" in refused.stderr,
       f"different results are refused: {refused.stderr}")
expect(table(folder.path / "late.db") == before, "and nothing has changed")
kept = merge("late.db", shards[2], "--keep", "first")
expect(kept.returncode == 0 and table(folder.path / "late.db") == before, "--keep first keeps them")
refused = merge("new.db", shards[2], str(folder.path / "none.db"))
expect(refused.returncode == 1 and "none.db" in refused.stderr, "a shard that is not there")
expect(not list(folder.path.glob("new.db*")), "a refused merge leaves no file behind")
wrong = merge("new.db", shards[2], "--keep", "last")
expect(wrong.returncode == 2 and "refuse, first, latest" in wrong.stderr, "an unknown rule")
expect(not pathlib.Path(str(folder.path / "new.db")).exists(), "nothing is made for it")
finish()
