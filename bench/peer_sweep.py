"""Holds occam's trainings against those of bench/peer.py, each on its own random streams.

Usage: python3 bench/peer_sweep.py build/release/bin [--seeds 3] [--steps 32] [--workers 2] [--db peer.db]
       [--data /usr/share/datasets/fashion-mnist]

Trains narrow networks on Fashion-MNIST (ten classes, the seeds, batch 16, 64 and 256), once with occam and once
with the peer, and prints a Markdown table: for each batch size and classifier the difference of the means over
classes and seeds, two standard errors of it, and the limit of 1.5 points (KDE, 1-NN) or 0.7 (GDE, OC-SVM).

Two equal programs differ by more than two standard errors now and then, more often with few seeds, and the
classifiers of one training go together. So all twelve differences are also judged at once: were the programs equal,
it would not matter which seeds are whose, so the sum of the squared differences (in standard errors) is compared with
those of 10,000 ways to deal each batch size's seeds out again.

Exit code 1 when a difference is above its limit, or the twelve together are among the largest 1 % by chance. The
peer's results are kept in <db>.peer.jsonl, so a second call, with more seeds too, goes on.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--steps", type=int, default=32)
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--db", default="peer.db")
parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("/usr/share/datasets/fashion-mnist"))
options = parser.parse_args()

BATCHES, CLASSES = (16, 64, 256), range(10)
LIMITS = {"kde": 1.5, "nearest": 1.5, "gde": 0.7, "oc-svm-rbf": 0.7}
# Learns something in seconds on a core. An epoch is 8 to 128 updates, so the cosine shows at the larger batches.
RECIPE = {"loss": "contrastive", "distribution_augmentation": "rotation", "depth": 10, "width": 0.125, "head_layers": 1,
          "learning_rate": 0.05, "train_limit": 512, "steps": options.steps}
TEST_ROWS = 4000
seeds = range(1, options.seeds + 1)


def run_occam():
    spec = {"name": "peer", "trial": {"dataset": "fashion-mnist", **RECIPE},
            "grid": {"class": "all", "seed": list(seeds), "batch_size": BATCHES},
            "evaluate": {"classifiers": list(LIMITS), "test_limit": TEST_ROWS}}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "peer.json")
        path.write_text(json.dumps(spec))
        subprocess.run([options.programs / "occam", "run", path, "--db", options.db, "--device", "cpu", "--keep",
                        "none", "--workers", str(options.workers), "--data", options.data.parent], check=True)
    with sqlite3.connect(options.db) as database:
        return {row[:4]: 100 * row[4] for row in database.execute(
            "SELECT class, seed, batch_size, classifier, auroc FROM results WHERE sweep = 'peer'")}


def run_peer():
    kept = pathlib.Path(options.db + ".peer.jsonl")
    # A freed block that goes back to the system costs a page fault a page to get again: half of the time.
    environment = {**os.environ, "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}

    def found():
        lines = kept.read_text().splitlines() if kept.exists() else []
        trials = [trial for trial in map(json.loads, lines) if RECIPE.items() <= trial.items()]
        return {(t["class"], t["seed"], t["batch_size"], name): 100 * t[name] for t in trials for name in LIMITS}

    def train(seed_and_batch):
        seed, batch = seed_and_batch
        trials = [{**RECIPE, "class": c, "seed": seed, "batch_size": batch, "test_limit": TEST_ROWS}
                  for c in CLASSES if (c, seed, batch, "kde") not in have]
        with kept.open("a") as file:
            subprocess.run([sys.executable, pathlib.Path(__file__).with_name("peer.py"), "train", options.data],
                           input="\n".join(map(json.dumps, trials)), stdout=file, check=True, text=True,
                           env=environment)

    have = found()
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        tasks = [(seed, batch) for batch in reversed(BATCHES) for seed in seeds]
        for done, _ in enumerate(pool.map(train, tasks), 1):
            print(f"peer: {done} of {len(tasks)} parts", file=sys.stderr)
    return found()


def means_of(results, batch):
    """One row a seed: each classifier's mean over the classes."""
    return [[statistics.mean(results[c, s, batch, name] for c in CLASSES) for name in LIMITS] for s in seeds]


def compare(mine, theirs):
    """Difference of the means and its standard error, for each classifier."""
    return [(statistics.mean(a) - statistics.mean(b),
             ((statistics.variance(a) + statistics.variance(b)) / len(a)) ** 0.5)
            for a, b in zip(zip(*mine), zip(*theirs))]


def dealt_again(mine, theirs, draw):
    both = mine + theirs
    draw.shuffle(both)
    return both[:len(mine)], both[len(mine):]


def squares(compared):
    return sum((difference / error) ** 2 for difference, error in compared)


def excesses(compared):
    return sum(abs(difference) > 2 * error for difference, error in compared)


ours, theirs = run_occam(), run_peer()
sides = [(means_of(ours, batch), means_of(theirs, batch)) for batch in BATCHES]
compared = [compare(*side) for side in sides]
below_limits = True
print(f"{options.seeds} seeds a side; AUROC in %, mean over ten classes:\n")
print("| batch | classifier | occam | peer | difference | 2 standard errors | | limit | |\n" + "|---" * 9 + "|")
for batch, (mine, other), results in zip(BATCHES, sides, compared):
    for at, (name, limit) in enumerate(LIMITS.items()):
        difference, error = results[at]
        below_limits &= abs(difference) <= limit
        print(f"| {batch} | {name} | {statistics.mean(row[at] for row in mine):.2f} "
              f"| {statistics.mean(row[at] for row in other):.2f} | {difference:+.2f} | {2 * error:.2f} "
              f"| {'within' if abs(difference) <= 2 * error else 'NOT within'} | {limit} "
              f"| {'within' if abs(difference) <= limit else 'NOT within'} |")

draw = random.Random(1)
chance = [[compare(*dealt_again(*side, draw)) for side in sides] for _ in range(10_000)]
seen = sum(map(squares, compared))
as_large = sum(sum(map(squares, one)) >= seen for one in chance) / len(chance)
expected = statistics.mean(sum(map(excesses, one)) for one in chance)
print(f"\nAbove two standard errors: {sum(map(excesses, compared))} of 12; equal programs have {expected:.1f} on "
      f"average. All twelve at once: {100 * as_large:.0f} % of the ways to deal the seeds out again differ as much.")
sys.exit(0 if below_limits and as_large > 0.01 else 1)
