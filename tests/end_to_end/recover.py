"""occam recover: of a database with pages overwritten or cut off, every row on a page that is whole comes back, and
nothing that was never there. What pages hold, SQLite's dbstat says of the database before it was damaged.
"""

import contextlib
import random
import shlex
import sqlite3

from sweeps import OCCAM, PROGRAMS, Folder, expect, finish, run

TABLES = ["sweep", "request", "trial", "sweep_trial", "attempt", "outcome", "evaluation", "epoch"]
PAGE = 4096

folder = Folder()
run([str(PROGRAMS / "sample_store"), folder.db])
whole = open(folder.db, "rb").read()
table = run([OCCAM, "table", folder.db]).stdout
damaged, out = str(folder.path / "it's damaged.db"), str(folder.path / "out.db")


def rows_of(path):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {name: set(database.execute("SELECT * FROM " + name)) for name in TABLES}


with contextlib.closing(sqlite3.connect(folder.db)) as database:
    page_of = {number: (name, kind, cells) for name, number, kind, cells in database.execute(
        "SELECT name, pageno, pagetype, ncell FROM dbstat")}
    rowids = {name for name, less in database.execute("SELECT name, wr FROM pragma_table_list") if not less}
rows = rows_of(folder.db)


def rows_on(pages):
    """How many rows of each table lie on these pages, or reach over them."""
    count = dict.fromkeys(TABLES, 0)
    for name, kind, cells in map(page_of.get, pages):
        if name in count and not (kind == "internal" and name in rowids):
            count[name] += 1 if kind == "overflow" else cells
    return count


def recover(content):
    open(damaged, "wb").write(content)
    result = run([OCCAM, "recover", damaged, out])
    expect(open(damaged, "rb").read() == content, "the damaged file stays as it is") if len(content) < 3 * PAGE else None
    return result


def remove():
    for file in folder.path.glob("out.db*"):
        file.unlink()


def problems(content, pages, in_part=False):
    """What is wrong with what came back; `pages` are damaged. Where that is a part of one, a number in it may have changed
    without a sign."""
    result = recover(content)
    try:
        if result.returncode not in (0, 3):
            return [f"exit code {result.returncode}: {result.stderr[-200:]}"]
        found = []
        with contextlib.closing(sqlite3.connect(out)) as database:
            if (said := database.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
                found.append(f"integrity: {said}")
            if said := database.execute("PRAGMA foreign_key_check").fetchall():
                found.append(f"foreign keys: {said[:3]}")
        back, lost = rows_of(out), rows_on(pages)
        ids, outcomes = {row[0] for row in back["trial"]}, {row[:2] for row in back["outcome"]}
        for name in TABLES:
            added = back[name] - rows[name]
            if name == "attempt":
                added = {row for row in added if "unknown" not in row}
            if name in ("attempt", "outcome", "evaluation", "epoch", "trial") and len(added) > in_part * lost[name]:
                found.append(f"{name} has rows that never were: {list(added)[:2]}")
            missing = rows[name] - back[name]
            if name in ("attempt", "outcome", "evaluation", "epoch"):  # without its trial or outcome a row has no place
                missing = {row for row in missing if row[name == "attempt"] in ids}
            if name == "evaluation":
                missing = {row for row in missing if row[:2] in outcomes}
            if name not in ("sweep", "request", "sweep_trial") and len(missing) > lost[name]:
                found.append(f"{len(missing)} rows of {name} lack and {lost[name]} were on damaged pages")
        if not lost["sweep"] and any(back[name] != rows[name] for name in ("request", "trial", "sweep_trial")):
            found.append("the plan is not the spec's")
        if in_part:
            return found
        if result.returncode == 0 and (back != rows or run([OCCAM, "table", out]).stdout != table):
            found.append("it says that all came back")
        if sum(lost.values()) and result.returncode == 0:
            found.append("it does not say that something is lost")
        return found
    finally:
        remove()


result = recover(whole)
expect(result.returncode == 0 and rows_of(out) == rows and run([OCCAM, "table", out]).stdout == table,
       f"an undamaged database comes back as it is: {result.stdout}{result.stderr}")
again = run([OCCAM, "recover", damaged, out])
expect(again.returncode == 2 and "exists" in again.stderr and rows_of(out) == rows, "nothing is overwritten")
remove()

random.seed(1)
fills = [b"\0" * PAGE, b"\xff" * PAGE, random.randbytes(PAGE), whole[5 * PAGE:6 * PAGE]]
pages = len(whole) // PAGE
wrong = []
chosen = [*range(1, 30), *range(30, pages + 1, 9)]
for number in chosen:
    content = whole[:(number - 1) * PAGE] + fills[number % len(fills)] + whole[number * PAGE:]
    wrong += [f"page {number} {page_of.get(number)}: {one}" for one in problems(content, [number])]
expect(not wrong, f"one page overwritten, each of {len(chosen)}: " + "; ".join(wrong[:3]))

wrong = []
for number in range(2, pages + 1, 9):
    at = (number - 1) * PAGE + random.randrange(PAGE)
    wrong += [f"at {at}: {one}" for one in problems(whole[:at] + random.randbytes(300) + whole[at + 300:],
                                                    [number, min(number + 1, pages)], True)]
expect(not wrong, "300 bytes overwritten anywhere: " + "; ".join(wrong[:3]))

wrong = []
for every, first in ((2, 1), (3, 1), (3, 2), (7, 1)):
    gone = range(first, pages + 1, every)
    content = b"".join(fills[2] if number in gone else whole[(number - 1) * PAGE:number * PAGE]
                       for number in range(1, pages + 1))
    wrong += [f"every {every} from {first}: {one}" for one in problems(content, gone)]
expect(not wrong, "pages overwritten all over: " + "; ".join(wrong[:3]))

wrong = []
cuts = [PAGE * 12, *range(PAGE * 20, len(whole), len(whole) // 15), len(whole) - PAGE, len(whole) - 1]
for cut in cuts:
    wrong += [f"cut to {cut}: {one}" for one in problems(whole[:cut], range(cut // PAGE + 1, pages + 1))]
expect(not wrong, f"cut off at {len(cuts)} places: " + "; ".join(wrong[:3]))

for content in (b"", b"SQLite", random.randbytes(3 * PAGE), b"\0" * 2 * PAGE):
    result = recover(content)
    expect(result.returncode == 1 and damaged in result.stderr and not list(folder.path.glob("out.db*")),
           f"a file without a row of ours is refused: {result.stderr.strip()}")

# What is left of the name's former file stays where no file has the name; the same of a merge.
for end in ("-wal", ".spool"):
    open(damaged, "wb").write(whole)
    open(out + end, "w").write("results of another")
    for words in (["recover", damaged, out], ["merge", out, damaged]):
        result = run([OCCAM, *words])
        expect(result.returncode == 1 and out + end in result.stderr and [f.name for f in folder.path.glob("out.db*")]
               == ["out.db" + end], f"{words[0]} beside a left {end} makes no file: {result.stderr.strip()}")
    remove()

# Every command that finds the damage says what to type.
open(damaged, "wb").write(whole[:len(whole) // 2])
for words in (["table", damaged], ["run", folder.spec, "--db", damaged, "--device", "cpu"]):
    said = run([OCCAM, *words]).stderr
    command = shlex.split(said[said.index("occam recover"):])
    expect(command[:3] == ["occam", "recover", damaged], f"{words[0]} names the command: {said.strip()}")
finish()
