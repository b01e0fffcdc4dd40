"""How long a worker waits between its outcome and its next trial, over MPI, the outcome's commit included.

Usage: python3 bench/dispatch.py build/release/bin

64 fake workers on four ranks of this machine. Prints a Markdown table; figures depend on the machine, so they stand in
bench/README.md with its name.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from programs import need_mpirun, need_programs

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path, help="the folder of occam and fake-worker")
programs = parser.parse_args().programs.resolve()
need_programs(parser, programs, "occam", "fake-worker")
need_mpirun(parser)
mpi = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
print("| 64 workers on 4 ranks | outcomes a second | median | 99 % within | longest |\n|---|---|---|---|---|")
for what, step_ms, seeds in (("under way", 64, 300), ("from idle", 640, 50)):
    with tempfile.TemporaryDirectory() as folder:
        gaps = pathlib.Path(folder, "gaps")
        gaps.mkdir()
        # Of different lengths, so that they do not end together.
        pathlib.Path(folder, "spec.json").write_text(json.dumps({
            "name": "dispatch", "trial": {"dataset": "synthetic", "class": 0},
            "grid": {"seed": list(range(seeds)), "steps": [8, 9, 10, 11, 12]}, "evaluate": {"classifiers": ["kde"]}}))
        pathlib.Path(folder, "fake.json").write_text(json.dumps({"step_ms": step_ms, "gaps": str(gaps)}))
        subprocess.run(["mpirun", "--oversubscribe", "-n", "4", str(programs / "occam"), "run", folder + "/spec.json", "--db",
                        folder + "/occam.db", "--worker", str(programs / "fake-worker"), "--workers", "64", "--device", "cpu",
                        "-q"], env={**os.environ, **mpi, "OCCAM_FAKE": folder + "/fake.json"}, check=True)
        # The first trials of all workers end together.
        milliseconds = sorted(float(line) / 1000 for file in gaps.iterdir() for line in file.read_text().split()[1:])
        print(f"| {what} | {64 / (10 * step_ms / 1000):.0f} | {statistics.median(milliseconds):.2f} ms "
              f"| {milliseconds[int(0.99 * len(milliseconds))]:.2f} ms | {milliseconds[-1]:.2f} ms |", flush=True)
