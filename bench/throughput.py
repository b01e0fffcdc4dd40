"""How fast the orchestrator is when the trainings are nothing: whole sweeps of the fake worker.

Usage: python3 bench/throughput.py build/release/bin

Prints a Markdown table; figures depend on the machine, so they stand in bench/README.md with its name.
"""

import argparse
import json
import os
import pathlib
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time

from programs import need_programs

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path, help="the folder of occam and fake-worker")
programs = parser.parse_args().programs.resolve()
need_programs(parser, programs, "occam", "fake-worker")
occam, fake = str(programs / "occam"), str(programs / "fake-worker")
rows = []


def folder_with(trials, **settings):
    """A folder with a spec of so many trials, and the environment of its fake workers."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="occam-bench-"))
    (folder / "spec.json").write_text(json.dumps({
        "name": "bench", "trial": {"dataset": "synthetic", "class": 0, "steps": settings.pop("steps", 1)},
        "grid": {"seed": list(range(trials))}, "evaluate": {"classifiers": ["kde"]}}))
    (folder / "fake.json").write_text(json.dumps(settings))
    return folder, {**os.environ, "OCCAM_FAKE": str(folder / "fake.json")}


def command(folder, *more):
    return [occam, "run", str(folder / "spec.json"), "--db", str(folder / "occam.db"), "--worker", fake, "--workers", "2",
            "--device", "cpu", "-q", *more]


def done(folder):
    try:
        database = sqlite3.connect(f"file:{folder}/occam.db?mode=ro", uri=True)
        count = database.execute("SELECT count(*) FROM outcome").fetchone()[0]
        database.close()
        return count
    except sqlite3.Error:
        return 0


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- throughput ----
for slots in (1, 32):
    rates = []
    for _ in range(3):
        folder, environment = folder_with(2000, slots=slots)
        began = time.perf_counter()
        subprocess.run(command(folder), env=environment, check=True)
        rates.append(2000 / (time.perf_counter() - began))
        assert done(folder) == 2000
    rows.append((f"2,000 trivial trials, two workers of {slots} slot{'s' if slots > 1 else ''}, every result durable",
                 f"{statistics.median(rates):.0f} a second"))

# ---- latency ----
firsts = []
for _ in range(5):
    folder, environment = folder_with(1)
    began = time.perf_counter()
    subprocess.run(command(folder), env=environment, check=True)
    firsts.append(time.perf_counter() - began)
rows.append(("a fresh sweep of one trial, from the command to its end", f"{statistics.median(firsts):.3f} s"))



def seconds_to_restart(number, *more):
    """From a signal to a worker until its trial's next attempt is in the database."""
    folder, environment = folder_with(4, steps=10000, step_ms=1)
    sweep = subprocess.Popen(command(folder, *more), env=environment, stderr=subprocess.DEVNULL)
    time.sleep(1)
    victim = children(sweep.pid)[0]
    began = time.perf_counter()
    os.kill(victim, number)
    started = 0
    while started < 3:
        database = sqlite3.connect(f"file:{folder}/occam.db?mode=ro", uri=True)
        started = database.execute("SELECT count(*) FROM attempt").fetchone()[0]
        database.close()
        time.sleep(0.001)
    taken = time.perf_counter() - began
    sweep.terminate()
    sweep.wait()
    return taken


killed = [seconds_to_restart(signal.SIGKILL) for _ in range(5)]
rows.append(("a killed worker's trial is started again after", f"{statistics.median(killed):.3f} s (most {max(killed):.3f})"))
stopped = [seconds_to_restart(signal.SIGSTOP, "--silence", "2") for _ in range(3)]
rows.append(("a stopped worker's, with `--silence 2`, after", f"{statistics.median(stopped):.2f} s (most {max(stopped):.2f})"))

folder, environment = folder_with(10000, slots=32, steps=1)
sweep = subprocess.Popen(command(folder), env=environment, stderr=subprocess.DEVNULL)
while done(folder) < 3000:
    time.sleep(0.005)
sweep.kill()
sweep.wait()
before = done(folder)
database = sqlite3.connect(folder / "occam.db")
attempts = database.execute("SELECT count(*) FROM attempt").fetchone()[0]
database.close()
began = time.perf_counter()
sweep = subprocess.Popen(command(folder), env=environment, stderr=subprocess.DEVNULL)
while done(folder) <= before:
    time.sleep(0.002)
rows.append(("a killed coordinator's sweep of 10,000 trials goes on after", f"{time.perf_counter() - began:.2f} s"))
sweep.wait()
database = sqlite3.connect(folder / "occam.db")
again = database.execute("SELECT count(*) FROM attempt a JOIN outcome o USING (trial) WHERE a.number > o.attempt").fetchone()[0]
database.close()
rows.append(("  finished trials that it runs again", str(again)))

# ---- what it costs to wait ----
folder, environment = folder_with(10000, steps=1000000, step_ms=1000)
sweep = subprocess.Popen(command(folder), env=environment, stderr=subprocess.DEVNULL)
time.sleep(4)
before = cpu_seconds(sweep.pid)
time.sleep(20)
rows.append(("the coordinator of 10,000 trials while two run", f"{100 * (cpu_seconds(sweep.pid) - before) / 20:.2f} % of a core"))
resident = [line for line in pathlib.Path(f"/proc/{sweep.pid}/status").read_text().splitlines() if "VmRSS" in line][0]
rows.append(("  its memory", f"{int(resident.split()[1]) / 1024:.0f} MiB resident"))
sweep.terminate()
sweep.wait()

print("| what | figure |\n|---|---|")
for what, figure in rows:
    print(f"| {what} | {figure} |")
