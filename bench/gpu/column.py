#!/usr/bin/env python3
"""What a sweep costs beside its trainings: a Fashion-MNIST column (ten classes, all classifiers) through occam run.

  ninja -C build/cuda occam occam-worker bench_packing && python3 bench/gpu/column.py build/cuda/bin --data FOLDER

Times `occam run` of the ten classes' bf16 trials, from the command to its end, and the same ten trainings in one
process with nothing beside them, at the same number of trials at once, in turn, for a seed a round; prints the
medians, what scheduling, start-up and evaluation add, what `occam plan` foretold of the second round from the first,
and the first one's scores.
"""
import argparse
import ctypes
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
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
programs = options.programs.resolve()
for name in ("occam", "occam-worker", "bench_packing"):
    if not shutil.which(programs / name):
        parser.exit(2, f"{parser.prog}: there is no program {programs / name}; name the folder that has it, such as "
                       f"build/cuda/bin after `ninja -C build/cuda {name}`\n")
if options.data and not os.path.isdir(options.data):
    parser.exit(2, f"{parser.prog}: --data {options.data} is no folder; Fashion-MNIST lies in one, in fashion-mnist/\n")
if options.keep and not (options.keep.is_dir() and os.access(options.keep, os.W_OK)):
    parser.exit(2, f"{parser.prog}: --keep {options.keep} is no folder that can be written to; make it first\n")
try:
    visible = ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
except OSError:
    visible = False
if not visible:
    parser.exit(2, f"{parser.prog}: no GPU is visible here, which the trainings need\n")

batch, epochs = {"contrastive": (32, 20), "rotation": (64, 16)}[options.loss]
trial = {"dataset": "fashion-mnist", "loss": options.loss, "batch_size": batch, "epochs": epochs, "precision": "bf16"}
classifiers = ["nearest", "kde", "gde", "oc-svm-rbf", "oc-svm-linear"]
if options.loss == "contrastive":
    trial["distribution_augmentation"] = "rotation"
else:
    classifiers += ["rotation"]


def ran(program, *words, capture=True):
    made = subprocess.run([programs / program, *map(str, words)], text=True,
                          stdout=subprocess.PIPE if capture else None)
    if made.returncode:
        sys.exit(f"column.py: {program} ended with {made.returncode}")
    return made.stdout


whole, alone = [], []
with tempfile.TemporaryDirectory() as folder:
    spec = pathlib.Path(folder) / "column.json"
    spec.write_text(json.dumps({"name": "column", "trial": trial, "grid": {"seed": [1, 2, 3], "class": "all"},
                                "evaluate": {"classifiers": classifiers}}))
    for seed in range(1, options.rounds + 1):
        database = f"{folder}/{seed}.db"
        began = time.perf_counter()
        ran("occam", "run", spec, "--only", f"seed={seed}", "--db", database, "--device", "cuda", "--slots",
            options.slots, "--parts", options.parts, "--data", options.data, capture=False)
        whole.append(time.perf_counter() - began)
        if options.keep:
            shutil.copy(database, options.keep / f"column-{seed}.db")
        found = ran("bench_packing", "--loss", options.loss, "--batch", batch, "--epochs", epochs, "--trials", 10,
                    "--channels", 1, "--slots", f"{options.slots}/{options.parts}")
        alone.append(json.loads(found)["seconds"])
        print(f"seed {seed}: occam run {whole[-1]:.1f} s, the trainings alone {alone[-1]:.1f} s", flush=True)
    run, trainings = statistics.median(whole), statistics.median(alone)
    print(f"{options.loss}: occam run {run:.1f} s, the trainings alone {trainings:.1f} s: {100 * (run / trainings - 1):+.1f} %")
    if options.rounds > 1:
        print(ran("occam", "plan", spec, "--only", "seed=2", "--db", f"{folder}/1.db", "--gpus", 1))
    print(ran("occam", "table", f"{folder}/1.db", "--partial", "--rows", "loss", "--columns", "classifier",
              "--where", "seed=1"))
