"""One spec gives the same rows and the same table, whatever happens on the way: one worker or two, a worker
killed, the coordinator killed and the sweep run again."""

import json

from sweeps import (OCCAM, Folder, children, done_trials, expect, finish, kill, run, running_attempts, start,
                    wait_until)

undisturbed = Folder()
result = run(undisturbed.command("--workers", "1"))
expect(result.returncode == 0, f"one worker ends with 0 ({result.stderr[-300:]})")
rows, table = undisturbed.evaluations(), undisturbed.table()
expect(len(rows) == 4 * 6 + 4 * 7, f"every score is there: {len(rows)}")
expect(table.count("\n") > 8, "the table has its rows")

again = run(undisturbed.command())
expect(again.returncode == 0 and "0 to run" in again.stderr, "run again, it does nothing twice")
expect(undisturbed.outcomes() == 8, "and leaves the outcomes alone")


planned = run([OCCAM, "plan", undisturbed.spec, "--db", undisturbed.db, "--json"])
expect(planned.returncode == 0 and json.loads(planned.stdout)["done"] == 8, "plan knows what is done")
status = run([OCCAM, "status", undisturbed.db, "--json"])
expect(json.loads(status.stdout)["completed"] == 8, "and so does status")


def same(folder, what):
    expect(folder.evaluations() == rows, f"{what}: the same evaluation rows")
    expect(folder.table() == table, f"{what}: the same table, byte for byte")


two = Folder()
expect(run(two.command("--workers", "2")).returncode == 0, "two workers end with 0")
same(two, "two workers")

# A worker is killed in the middle of a trial: it is restarted, nobody else notices.
folder = Folder()
sweep = start(folder.command("--workers", "2"))
wait_until(lambda: done_trials(folder.db) >= 1 and running_attempts(folder.db) >= 1)
kill(children(sweep.pid)[0])
output, _ = sweep.communicate(timeout=300)
expect(sweep.returncode == 0, f"a killed worker: the sweep ends with 0 ({output[-300:]})")
expect("killed by signal 9" in output, "a killed worker: the message says so")
same(folder, "a killed worker")

# The coordinator is killed; its workers must not outlive it, and the same command goes on.
folder = Folder()
sweep = start(folder.command("--workers", "2"))
wait_until(lambda: done_trials(folder.db) >= 2 and running_attempts(folder.db) >= 1)
workers = children(sweep.pid)
kill(sweep.pid)
sweep.communicate(timeout=60)
before = folder.outcomes()


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


wait_until(lambda: all(gone(pid) for pid in workers), 30)
expect(True, "a killed coordinator: its workers are gone too")
result = run(folder.command("--workers", "2"))
expect(result.returncode == 0, f"a killed coordinator: run again, it ends with 0 ({result.stderr[-300:]})")
expect(before >= 2, "a killed coordinator: what was recorded stays")
same(folder, "a killed coordinator")
finish()
