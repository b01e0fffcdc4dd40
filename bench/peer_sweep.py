"""Holds occam's trainings against those of bench/peer.py, each on its own random streams.

Usage: python3 bench/peer_sweep.py build/release/bin [--seeds 3] [--steps 100] [--workers 2] [--db peer.db]

Trains narrow networks on Fashion-MNIST: every class, the seeds, contrastive, batch 16, 64 and 256, once
with occam and once with the peer, and compares the means over classes: for each batch size and classifier
the difference of the means of the seeds, its standard error, and whether the difference is within two of
those and at most 1.5 (KDE, 1-NN) or 0.7 (GDE, OC-SVM) points. Prints a Markdown table; exit code 1 when
one is not. Minutes to hours, by the number of updates. The peer's results are kept in <db>.peer.jsonl, so
a second call goes on.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--loss", default="contrastive")
parser.add_argument("--db", default="peer.db")
options = parser.parse_args()

BATCHES, CLASSES = (16, 64, 256), range(10)
LIMITS = {"kde": 1.5, "nearest": 1.5, "gde": 0.7, "oc-svm-rbf": 0.7}
seeds = range(1, options.seeds + 1)

spec = {
    "name": "peer",
    "trial": {"dataset": "fashion-mnist", "width": 0.125, "steps": options.steps, "loss": options.loss},
    "grid": {"class": "all", "seed": list(seeds), "batch_size": BATCHES},
    "evaluate": {"classifiers": list(LIMITS)},
}
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "peer.json")
    path.write_text(json.dumps(spec))
    subprocess.run([options.programs / "occam", "run", path, "--db", options.db, "--device", "cpu", "--keep", "none",
                    "--workers", str(options.workers)], check=True)

kept = pathlib.Path(options.db + ".peer.jsonl")
peers = {}
if kept.exists():
    for line in kept.read_text().splitlines():
        one = json.loads(line)
        peers[one["class"], one["seed"], one["batch_size"]] = one


def run_peer(task):
    inlier, seed, batch = task
    command = [sys.executable, pathlib.Path(__file__).with_name("peer.py"), "train", "--class", inlier, "--seed", seed,
               "--batch-size", batch, "--steps", options.steps, "--loss", options.loss]
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


tasks = [(c, s, b) for b in BATCHES for s in seeds for c in CLASSES if (c, s, b) not in peers]
with concurrent.futures.ThreadPoolExecutor(options.workers) as pool, kept.open("a") as file:
    for done, line in enumerate(pool.map(run_peer, tasks), 1):
        file.write(line)
        file.flush()
        one = json.loads(line)
        peers[one["class"], one["seed"], one["batch_size"]] = one
        print(f"\rpeer: {done}/{len(tasks)}", end="", file=sys.stderr)

ours = {}
with sqlite3.connect(options.db) as database:
    for row in database.execute("SELECT class, seed, batch_size, classifier, auroc FROM results WHERE sweep = 'peer'"):
        ours[row[:4]] = row[4]

all_fine = True
print("\n| batch | classifier | occam | peer | difference | 2 standard errors | limit | |\n|---|---|---|---|---|---|---|---|")
for batch in BATCHES:
    for classifier, limit in LIMITS.items():
        mine = [100 * statistics.mean(ours[c, s, batch, classifier] for c in CLASSES) for s in seeds]
        theirs = [100 * statistics.mean(peers[c, s, batch][classifier] for c in CLASSES) for s in seeds]
        difference = statistics.mean(mine) - statistics.mean(theirs)
        error = 2 * math.sqrt((statistics.variance(mine) + statistics.variance(theirs)) / len(seeds))
        fine = abs(difference) <= min(error, limit)
        all_fine &= fine
        print(f"| {batch} | {classifier} | {statistics.mean(mine):.2f} | {statistics.mean(theirs):.2f} "
              f"| {difference:+.2f} | {error:.2f} | {limit} | {'within' if fine else 'NOT WITHIN'} |")
sys.exit(0 if all_fine else 1)
