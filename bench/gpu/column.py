#!/usr/bin/env python3
"""What a sweep costs beside its trainings: a Fashion-MNIST column (ten classes, all classifiers) through occam run.

  ninja -C build/cuda occam occam-worker bench_packing && python3 bench/gpu/column.py build/cuda/bin --data FOLDER

Times `occam run` of the bf16 trials of experiments/specs/precision.json with one loss and seed, from the command to
its end, and the same ten trainings in one process with nothing beside them, at the same number of trials at once, in
turn, for a seed a round; prints the medians, what scheduling, start-up and evaluation add, what `occam plan` foretold
of the second round from the first, and the first one's scores.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path)
parser.add_argument("--data", default="")
parser.add_argument("--loss", default="contrastive", choices=["contrastive", "rotation"])
parser.add_argument("--slots", type=int, default=8)
parser.add_argument("--parts", type=int, default=4)
parser.add_argument("--rounds", type=int, default=3, choices=[1, 2, 3])
parser.add_argument("--keep", type=pathlib.Path, help="a folder that the runs' databases are copied to")
options = parser.parse_args()

spec = pathlib.Path(__file__).parents[2] / "experiments/specs/precision.json"
batch, epochs = {"contrastive": (32, 20), "rotation": (64, 16)}[options.loss]


def chosen(option, seed):
    """The round's trials, as an option of this name chooses them."""
    return [option, f"loss={options.loss}", option, f"seed={seed}", option, "precision=bf16"]


def occam(*words, capture=True):
    made = subprocess.run([str(options.programs / "occam"), *map(str, words)], check=True, text=True,
                          stdout=subprocess.PIPE if capture else None)
    return made.stdout


whole, alone = [], []
with tempfile.TemporaryDirectory() as folder:
    for seed in range(1, options.rounds + 1):
        database = f"{folder}/{seed}.db"
        began = time.perf_counter()
        occam("run", spec, *chosen("--only", seed), "--db", database, "--device", "cuda", "--slots", options.slots,
              "--parts", options.parts, "--data", options.data, capture=False)
        whole.append(time.perf_counter() - began)
        if options.keep:
            shutil.copy(database, options.keep / f"column-{seed}.db")
        found = subprocess.run([str(options.programs / "bench_packing"), "--loss", options.loss, "--batch", str(batch),
                                "--epochs", str(epochs), "--trials", "10", "--channels", "1",
                                "--slots", f"{options.slots}/{options.parts}"],
                               check=True, text=True, stdout=subprocess.PIPE)
        alone.append(json.loads(found.stdout)["seconds"])
        print(f"seed {seed}: occam run {whole[-1]:.1f} s, the trainings alone {alone[-1]:.1f} s", flush=True)
    run, trainings = statistics.median(whole), statistics.median(alone)
    print(f"{options.loss}: occam run {run:.1f} s, the trainings alone {trainings:.1f} s: {100 * (run / trainings - 1):+.1f} %")
    print(occam("plan", spec, *chosen("--only", 2), "--db", f"{folder}/1.db", "--gpus", 1))
    print(occam("table", f"{folder}/1.db", "--partial", "--rows", "loss", "--columns", "classifier",
                *chosen("--where", 1)))
