"""What occam costs beside the training: start-up, table, idle processes, expansion of a large grid.

Usage: python3 bench/overhead.py build/release/bin [quickstart.db]

Prints a Markdown table; figures depend on the machine, so they stand in bench/README.md with its name.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

from programs import need_mpirun, need_programs

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path, help="the folder of occam and occam-worker")
parser.add_argument("database", nargs="?", help="a sweep's, whose table is timed")
options = parser.parse_args()
programs = options.programs.resolve()
need_programs(parser, programs, "occam", "occam-worker")
need_mpirun(parser)
occam, worker = str(programs / "occam"), str(programs / "occam-worker")
if options.database and subprocess.run([occam, "table", options.database], stdout=subprocess.DEVNULL).returncode:
    parser.exit(2)  # occam has said why
rows = []


def milliseconds(command, times=30):
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(1000 * (time.perf_counter() - began))
    return f"{statistics.median(taken):.1f} ms (most {max(taken):.1f})"


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_share(pid, seconds=20):
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return f"{100 * (cpu_seconds(pid) - before) / seconds:.2f} % of a core"


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


rows.append(("occam --help", milliseconds([occam, "--help"])))
if options.database:
    rows.append(("occam table of the quickstart", milliseconds([occam, "table", options.database])))

idle = subprocess.Popen([worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
idle.stdout.readline()  # ready
rows.append(("idle worker", idle_share(idle.pid)))
idle.stdin.close()
idle.wait()

with tempfile.TemporaryDirectory() as folder:
    spec = pathlib.Path(folder, "spec.json")
    spec.write_text(json.dumps({"name": "long", "trial": {"dataset": "synthetic", "class": 0, "steps": 100000}}))
    run = [occam, "run", str(spec), "--db", folder + "/occam.db", "--device", "cpu", "--workers", "1"]
    for name, command in (("coordinator that waits for a trial", run),
                          ("the same under mpirun -n 2", ["mpirun", "--oversubscribe", "-n", "2"] + run)):
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        sweep = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
        time.sleep(5)
        ranks = [sweep.pid] if command is run else children(sweep.pid)
        rows.append((name, "; ".join(idle_share(rank) for rank in ranks)))
        sweep.terminate()
        sweep.wait()

    spec.write_text(json.dumps({
        "name": "million", "trial": {"dataset": "fashion-mnist"},
        "grid": {"class": "all", "seed": list(range(100)), "batch_size": list(range(16, 66)),
                 "learning_rate": [0.01 * i for i in range(1, 21)]}}))
    began = time.perf_counter()
    planned = subprocess.run([occam, "plan", str(spec), "--db", folder + "/none.db", "--json"], capture_output=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    rows.append(("occam plan of " + f"{json.loads(planned.stdout)['trials']:,} trials",
                 f"{time.perf_counter() - began:.1f} s, {peak:.2f} GiB at most"))
    began = time.perf_counter()
    subprocess.run([occam, "expand", str(spec)], stdout=subprocess.DEVNULL)
    rows.append(("occam expand of the same, as JSON lines", f"{time.perf_counter() - began:.1f} s"))

print("| what | figure |\n|---|---|")
for what, figure in rows:
    print(f"| {what} | {figure} |")
