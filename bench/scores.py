"""The one-class scores: occam beside scikit-learn, on the same features, cores and in one run.

Usage: python3 bench/scores.py build/release/bin [--train 5000] [--test 10000] [--features 512] [--threads 1]
       [--rounds 3] [--skip-linear] [--device cuda]

Features are drawn as a trained network's pool features look: sparse after ReLU, of low rank with noise. Times
are CPU seconds of all threads, of which a busy machine takes none away; rounds alternate, and each
classifier's figure is their median. On a GPU (`--device cuda`) both sides' are seconds by the clock. Prints a
Markdown table. Needs scikit-learn: run it with the Python that has it.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from programs import need_programs

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path)
parser.add_argument("--train", type=int, default=5000)
parser.add_argument("--test", type=int, default=10000)
parser.add_argument("--features", type=int, default=512)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--skip-linear", action="store_true", help="leave scikit-learn's linear OC-SVM out")
parser.add_argument("--device", default="cpu", help="where occam scores: cpu or cuda")
options = parser.parse_args()
clock, unit = (time.process_time, "CPU s") if options.device == "cpu" else (time.perf_counter, "s")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(options.threads)

for module in ("numpy", "sklearn"):
    if not importlib.util.find_spec(module):
        parser.exit(2, f"{parser.prog}: this Python has no {module}\n")
need_programs(parser, options.programs, "bench_scores")

import numpy  # noqa: E402  after the number of threads is set
import sklearn  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "worker"))
import scores_oracle  # noqa: E402

draw = numpy.random.default_rng(1)
mixing = draw.normal(size=(40, options.features))


def features(rows, shift):
    drawn = draw.normal(size=(rows, 40)) @ (mixing + shift * draw.normal(size=mixing.shape))
    return numpy.maximum(0, drawn - 4 + draw.normal(size=drawn.shape)).astype(numpy.float32)


ours, theirs, peak = {}, {}, 0  # every round's seconds
with tempfile.TemporaryDirectory() as folder:
    train, test = features(options.train, 0), features(options.test, 0.2)
    numpy.save(folder + "/train.pool.npy", train)
    numpy.save(folder + "/test.pool.npy", test)
    for _ in range(options.rounds):
        found = json.loads(subprocess.run([options.programs / "bench_scores", folder, str(options.threads), options.device],
                                          check=True, stdout=subprocess.PIPE).stdout)
        peak = max(peak, found.pop("peak_mib"))
        for name, seconds in found.items():
            ours.setdefault(name, []).append(seconds)
        wide_train, wide_test = train.astype(numpy.float64), test.astype(numpy.float64)
        before, scores = clock(), scores_oracle.one_class_scores(wide_train, wide_test)
        while True:
            name, _ = next(scores, (None, None))
            if name is None:
                break
            seconds, before = clock() - before, clock()
            if name not in found:
                continue
            theirs.setdefault(name, []).append(seconds)
            if options.skip_linear and name == "oc-svm-rbf":
                break

ours, theirs = ({name: statistics.median(all_of_it) for name, all_of_it in one.items()} for one in (ours, theirs))
print(f"{options.train:,} x {options.features} train, {options.test:,} test rows, occam on {options.device}, {options.threads} "
      f"thread(s), median of {options.rounds}, scikit-learn {sklearn.__version__}:\n\n"
      f"| classifier | occam, {unit} | scikit-learn, {unit} | times as fast |\n|---|---|---|---|")
for name, seconds in theirs.items():
    print(f"| {name} | {ours[name]:.3f} | {seconds:.2f} | {seconds / ours[name]:.1f} |")
both = sum(ours[name] for name in theirs)
print(f"| all | {both:.3f} | {sum(theirs.values()):.2f} | {sum(theirs.values()) / both:.1f} |")
print(f"\noccam-worker's part takes {peak} MiB at most.")
