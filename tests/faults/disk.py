"""A disk that fails, is full, or kept only a part, and coordinators that die in the middle of a commit: a clear error
that names the file, or the work goes on; and the same command, run again, ends with the same table.

Usage: disk.py BIN
"""

import json
import pathlib
import shutil
import signal

import fakes
from fakes import Sweep, expect, finish, problems, send, undisturbed, wait_until

table = undisturbed()


def ends_well(what, sweep, *more, **options):
    return fakes.ends_well(what, sweep, table, *more, **options)


def begun(outcomes=8, **settings):
    """A sweep whose coordinator was killed after some outcomes."""
    sweep = Sweep(step_ms=4, **settings)
    process = sweep.start()
    wait_until(lambda: sweep.count("outcome") >= outcomes)
    send(process.pid)
    process.communicate()
    return sweep


# ---- calls that fail ----
# Whatever the database's calls do: an error that names it, and afterwards nothing is lost and nothing twice.
for rules in (["write *occam.db-wal 30 EIO"], ["write *occam.db-wal 30+ EIO"], ["write *occam.db-wal 31+ ENOSPC"],
              ["write *occam.db-wal 33 half"], ["write *occam.db-wal 40+ EROFS"], ["sync *occam.db-wal 4 EIO"],
              ["sync *occam.db-wal 9+ EIO"], ["write *occam.db 1+ EIO"], ["sync *occam.db 1+ EIO"],
              ["write *occam.db 2+ ENOSPC"], ["read *occam.db 3+ EIO"]):
    sweep = Sweep()
    sweep.run("--limit", "1")
    sweep.break_calls(*rules)
    result = sweep.run()
    sweep.break_calls()
    what = " and ".join(rules)
    if result.returncode == 0:
        expect(not problems(sweep, table), f"{what}: the sweep comes through")
        continue
    expect(result.returncode == 1 and "occam.db" in result.stderr.strip().split("\n")[-1 - ("wait in" in result.stderr)],
           f"{what}: exit 1, naming the file: {result.stderr[-300:]}")
    waiting = len(sweep.spooled())
    said = "taken in" if sweep.spooled_alone() else None
    ends_well(f"  with a good disk again it ends well ({waiting} outcomes had been spooled)", sweep, says=said)
    expect(not sweep.spooled(), "  and the spool is gone")

# The spool has a second place; without either the trials are run again.
for rules, places in ((["write *occam.db.spool 1+ EIO"], 1), (["sync *occam.db.spool 1+ ENOSPC"], 1),
                      (["write *.spool 1+ EIO"], 0), (["write *occam.db.spool 2 half"], 2)):
    sweep = Sweep(slots=4)
    sweep.run("--limit", "1")
    sweep.break_calls("write *occam.db-wal 40+ EIO", *rules)
    result = sweep.run()
    sweep.break_calls()
    places = 0 if "can be kept neither" in result.stderr else places
    expect(result.returncode == 1 and (places > 0) == bool(sweep.spooled()),
           f"the database and {rules[0]}: {len(sweep.spooled())} outcomes wait")
    ends_well("  with a good disk again it ends well", sweep, says="taken in" if sweep.spooled_alone() else None)

# An event log that cannot be written costs no result.
sweep = Sweep()
sweep.break_calls("write *.events.jsonl 1+ EIO")
ends_well("an event log that cannot be written", sweep)

# A file that may not grow behaves as a full disk does.
for largest in (90_000, 130_000, 200_000):
    sweep = Sweep()
    sweep.run("--limit", "1")
    result = sweep.run(largest_file=largest)
    if result.returncode == 0:
        continue
    expect(result.returncode == 1 and "occam.db" in result.stderr,
           f"a database that cannot grow past {largest}: exit 1, naming it ({result.stderr[-200:]})")
    ends_well(f"  with room again it ends well ({len(sweep.spooled())} outcomes had been spooled)", sweep,
              says="taken in" if sweep.spooled_alone() else None)
    expect(not sweep.spooled(), "  the spool is gone")

# ---- a coordinator that dies in the middle of it ----
# Before, within and after single writes and syncs of its log, which are every point of a commit.
for point in ("write *occam.db-wal 26 kill", "write *occam.db-wal 27 half-kill", "write *occam.db-wal 28 done-kill",
              "write *occam.db-wal 41 half-kill", "sync *occam.db-wal 3 kill", "sync *occam.db-wal 6 done-kill",
              "sync *occam.db-wal 12 kill", "write *occam.db-wal 120 kill", "write *occam.db 1 kill",
              "write *occam.db 3 half-kill", "sync *occam.db 1 done-kill", "remove *occam.db-wal 1 kill",
              "remove *occam.db.spool 1 kill"):
    sweep = Sweep(step_ms=1)
    sweep.break_calls(point)
    result = sweep.run()
    sweep.break_calls()
    before = set(sweep.query("SELECT trial, attempt, recorded_at FROM outcome")) if sweep.count("outcome") else set()
    struck = result.returncode == -signal.SIGKILL
    ends_well(f"the coordinator {'died' if struck else 'lived'} at: {point}, after {len(before)} outcomes", sweep)
    expect(before <= set(sweep.query("SELECT trial, attempt, recorded_at FROM outcome")), "  what was recorded stays")

# The power goes: what had not been synced is not there. By then nobody had been told of it.
for point in (5, 7, 12, 20):
    sweep = Sweep()
    sweep.break_calls(f"sync *occam.db-wal {point} power-cut")
    result = sweep.run()
    sweep.break_calls()
    events = [json.loads(line) for line in pathlib.Path(sweep.db + ".events.jsonl").read_text().splitlines()]
    told = {kind: {one["lease"] for one in events if one["event"] == kind} for kind in ("outcome", "started")}
    there = {"outcome": {row[0] for row in sweep.query("SELECT lease FROM outcome JOIN attempt USING (trial)")},
             "started": {row[0] for row in sweep.query("SELECT lease FROM attempt")}}
    expect(result.returncode == -signal.SIGKILL and all(told[kind] <= there[kind] for kind in told),
           f"the power goes before sync {point}: {len(told['outcome'])} outcomes that were told of are there")
    ends_well("  and the same command goes on", sweep)

# Between an outcome that was spooled and the database that takes it in.
sweep = Sweep()
sweep.run("--limit", "1")
sweep.break_calls("write *occam.db-wal 30+ EIO")
sweep.run()
waiting = sweep.spooled()
sweep.break_calls("remove *occam.db.spool 1 kill")
killed = sweep.run()
sweep.break_calls()
expect(waiting and killed.returncode == -signal.SIGKILL and sweep.spooled() == waiting,
       f"killed after taking {len(waiting)} outcomes in, before the spool goes")
ends_well("  they are taken in once", sweep)

# ---- what a disk kept a part of ----
# Half-written and damaged checkpoints: an earlier one, or none, is taken.
for cut in (0, 1, 7, 20):
    sweep = Sweep(step_ms=5)
    process = sweep.start()
    wait_until(lambda: list(sweep.path.glob("occam.db.work/*/*.ckpt")))
    send(process.pid)
    process.communicate()
    for file in sweep.path.glob("occam.db.work/*/*.ckpt"):
        file.write_bytes(file.read_bytes()[:cut])
    ends_well(f"checkpoints cut to {cut} bytes", sweep)

# A log that broke off anywhere: what had been synced before is there, and the rest is run again.
base = begun()
log = pathlib.Path(base.db + "-wal").read_bytes()


def copy_of(base):
    copy = Sweep(step_ms=4)
    for name in ("occam.db", "occam.db-wal"):
        if (base.path / name).exists():
            shutil.copy(base.path / name, copy.path / name)
    return copy


for keep in (0.0001, 0.1, 0.37, 0.5, 0.9, 0.999):
    sweep = copy_of(base)
    (sweep.path / "occam.db-wal").write_bytes(log[: int(keep * len(log))])
    ends_well(f"a write-ahead log cut to {keep:.2%}", sweep)
for at in (0.05, 0.4, 0.8):
    sweep = copy_of(base)
    damaged = bytearray(log)
    damaged[int(at * len(log))] ^= 255
    (sweep.path / "occam.db-wal").write_bytes(damaged)
    ends_well(f"a write-ahead log with a wrong byte at {at:.0%}", sweep)

# A database cut anywhere is either whole enough to go on, or refused in a line that names it and says what to do; and no
# table is ever made of a part.
done = Sweep()
done.run()
whole = (done.path / "occam.db").read_bytes()
page = 4096
cuts = [0, 1, 15, 16, 50, 99, 100, 101, 1000, page - 1, page, page + 1, *range(2 * page, len(whole), len(whole) // 12),
        *range(3 * page, len(whole) // page * page, len(whole) // 9 // page * page), len(whole) - page, len(whole) - 1]
wrong = []
for cut in cuts:
    sweep = Sweep()
    (sweep.path / "occam.db").write_bytes(whole[:cut])
    for words in (["table", sweep.db, "--format", "csv"], ["status", sweep.db], ["run", sweep.spec, "--db", sweep.db]):
        result = sweep.run() if words[0] == "run" else sweep.occam(*words)
        if result.returncode == 0:
            good = words[0] == "run" and not problems(sweep, table)  # an empty one, which is filled
        else:
            last = result.stderr.strip().split("\n")[-1]
            good = result.returncode == 1 and sweep.db in last and any(
                words in last for words in ("restore", "recover", "occam run", "another file"))
        if not good:
            wrong.append(f"{words[0]} of one cut to {cut}: {result.returncode}, {result.stderr[-200:]}")
expect(not wrong, f"a database cut at {len(cuts)} places " + "; ".join(wrong[:3]))

wrong = []
for at in range(0, len(whole), len(whole) // 40):
    sweep = Sweep()
    damaged = bytearray(whole)
    damaged[at:at + 200] = b"\xff" * len(damaged[at:at + 200])
    (sweep.path / "occam.db").write_bytes(damaged)
    result = sweep.run()
    if result.returncode == 0:
        good = not problems(sweep, table)
    else:
        last = result.stderr.strip().split("\n")[-1]
        good = result.returncode == 1 and sweep.db in last
    if not good:
        wrong.append(f"at {at}: {result.returncode}, {result.stderr[-200:]} {problems(sweep, table)}")
expect(not wrong, "a database with 200 wrong bytes, at 40 places " + "; ".join(wrong[:3]))

# What was lost with a damaged page is run again from what was recovered, to the same table.
wrong, lost = [], 0
results = ("sweep", "trial", "sweep_trial", "attempt", "outcome", "evaluation")
pages = [1, *(row[0] for row in done.query(f"SELECT pageno FROM dbstat WHERE name IN {results}"))]
for number in pages:
    sweep = Sweep()
    damaged = sweep.path / "damaged.db"
    damaged.write_bytes(whole[:(number - 1) * page] + b"\xff" * page + whole[number * page:])
    said = sweep.occam("recover", str(damaged), sweep.db)
    lost += sweep.scores * 32 - sweep.count("evaluation")
    if sweep.count("attempt WHERE build = 'unknown'"):
        sweep.occam("forget", sweep.db, "--build", "unknown")
    result = sweep.run()
    if said.returncode not in (0, 3) or result.returncode != 0 or sweep.table() != table:
        wrong.append(f"page {number}: {said.stdout}{said.stderr}{result.stderr[-200:]}")
expect(not wrong and lost > 0, f"what {len(pages)} damaged pages held, {lost} scores, is run again to the same table "
       + "; ".join(wrong[:2]))
finish()
