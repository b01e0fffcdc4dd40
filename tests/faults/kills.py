"""One real sweep through the ends that a sweep may meet, short enough for a build with sanitizers: workers and
coordinators killed, a drain, a retry; no program of ours may end with a sanitizer's report.

Usage: kills.py BIN
"""

import os
import pathlib
import signal
import tempfile
import time

from fakes import Sweep, ends_well, expect, finish, problems, send, undisturbed, wait_until

# Reports of every process of these sweeps, workers included; of the other sanitizer each build ignores the options.
reports = tempfile.TemporaryDirectory(prefix="occam-reports-")
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
    given = os.environ.get(name)
    os.environ[name] = (given + ":" if given else "") + f"log_path={reports.name}/{name[:4].lower()}"

table = undisturbed()
for at, do, where in (("step", "kill", {"step": 6}), ("checkpoint", "kill", {"step": 6}), ("outcome", "half-line", {})):
    faults = [{"at": at, "do": do, "only": {"batch_size": 16}, **where}]
    ends_well(f"a worker: {do} at {at}", Sweep(faults=faults), table, says="the worker")

# Slurm's TERM comes once more from its srun, and `timeout` sends what it sends twice. At once is for Ctrl-C to say.
for number, times, pause, stop_ms, code, left in ((signal.SIGTERM, 3, 0.4, 1500, 75, "stopped"),
                                                  (signal.SIGINT, 2, 0.01, 1500, 75, "stopped"),
                                                  (signal.SIGINT, 2, 0.8, 60000, 130, "running")):
    many = Sweep(step_ms=30, stop_ms=stop_ms)
    process = many.start()
    wait_until(lambda: many.count("attempt WHERE state = 'running'") == 2)
    for _ in range(times):
        send(process.pid, number)
        time.sleep(pause)
    process.communicate(timeout=30)
    found = many.count(f"attempt WHERE state = '{left}'")
    expect(process.returncode == code and found == 2,
           f"signal {int(number)}, {times} times, {pause} s apart: exit code {process.returncode}, {found} trials {left}")

sweep = Sweep(step_ms=5)
for number, done in ((signal.SIGKILL, 1), (signal.SIGTERM, 8)):
    process = sweep.start()
    wait_until(lambda: sweep.count("outcome") >= done and sweep.count("attempt WHERE state = 'running'") > 0)
    send(process.pid, number)
    output, _ = process.communicate(timeout=60)
    expect(process.returncode == (75 if number == signal.SIGTERM else -number), f"a coordinator ends by signal {int(number)}")
result = sweep.run()
found = problems(sweep, table)
expect(result.returncode == 0 and not found, f"and the same command comes to the same table {found or ''}")
for words in (("status",), ("query", sweep.db, "SELECT * FROM trials"), ("report", sweep.db, "-o", str(sweep.path / "report.html"))):
    expect(sweep.occam(words[0], *(words[1:] or (sweep.db,))).returncode == 0, f"occam {words[0]}")

found = [file.read_text(errors="replace") for file in sorted(pathlib.Path(reports.name).iterdir())]
expect(not found, "no sanitizer has anything to report" + "".join("\n" + text[:4000] for text in found))
finish()
