"""The wall clock jumps by hours, both ways, under a running sweep: nothing hangs, nothing is killed for silence, nothing
is lost, and attempts keep their order.

Usage: clock.py BIN
"""

import json
import pathlib
import time

from fakes import Sweep, expect, finish, problems, undisturbed, wait_until

table = undisturbed()


def jumping(hours, *more, **settings):
    sweep = Sweep(step_ms=10, beat_ms=100, **settings)
    sweep.shift_clock(0)
    process = sweep.start("--silence", "3", "--stall", "3", "--checkpoint-every", "0.1", *more)
    for one in hours:
        time.sleep(0.25)
        sweep.shift_clock(one)
    output, _ = process.communicate(timeout=60)
    return sweep, process.returncode, output


for hours in ([5], [-5], [7, -7, 24 * 365, -3, 0]):
    sweep, code, output = jumping(hours)
    expect(code == 0 and not problems(sweep, table), f"jumps to {hours} hours off: all is well {output[-200:]}")
    expect("silent" not in output and "stood still" not in output, "  nothing is killed for it")
    expect(sweep.count("attempt") == 32, "  and nothing is tried twice")
    events = [json.loads(line) for line in pathlib.Path(sweep.db + ".events.jsonl").read_text().splitlines()]
    leases = [one["lease"] for one in events if one["event"] == "started"]
    expect(leases == sorted(leases), "  starts stay in order")
    for words in (["status", sweep.db, "--json"], ["watch", sweep.db], ["explain", sweep.db, events[3].get("trial", "")]):
        if words[-1]:
            said = sweep.occam(*words)
            expect(said.returncode == 0 and "-" not in json.dumps(json.loads(said.stdout)["wasted_seconds"])
                   if words[0] == "status" else said.returncode == 0, f"  {words[0]} works: {said.stderr}")

# A limit of time is time that has passed, not what the clock says.
sweep, code, output = jumping([9], "--walltime", "60")
expect(code == 0 and not problems(sweep, table), "nine hours on within a minute's limit: it goes on")
sweep, code, output = jumping([-9], "--walltime", "1.2")
said = any(words in output for words in ("the time is up", "too little time is left"))  # whichever comes first
expect(code == 75 and said, f"nine hours back: the limit still comes ({code}: {output[-200:]})")

# Stopped at one time and continued at an earlier one.
sweep, code, output = jumping([48], "--walltime", "1.2")
sweep.shift_clock(-48)
again = sweep.run()
expect(code == 75 and again.returncode == 0 and not problems(sweep, table),
       f"continued four days before it was stopped {again.stderr[-200:]}")
orders = sweep.query("SELECT count(*) FROM attempt a JOIN attempt b USING (trial) WHERE a.number < b.number AND a.lease > b.lease")
expect(orders[0][0] == 0, "  attempts are numbered in the order in which they were")

# Asked for while the clock jumps.
sweep = Sweep(step_ms=15)
sweep.shift_clock(0)
process = sweep.start()
wait_until(lambda: sweep.count("outcome") >= 1)
sweep.shift_clock(-30)
cancelled = sweep.occam("cancel", sweep.db, "--where", "batch_size=8", "--where", "seed=2")
process.communicate(timeout=60)
gone = sweep.count("trials WHERE state = 'cancelled'")
expect(process.returncode == 0 and gone > 0 and sweep.count("outcome") == 32 - gone, f"cancel goes through {cancelled.stderr}")
finish()
