#!/usr/bin/env python3
"""occam's training step beside PyTorch's, in one run on one GPU: one table with ratios.

  ninja -C build/cuda bench_packing && python3 bench/gpu/compare.py build/cuda/bin/bench_packing

Runs bench_packing and peers.py one after the other, prints every figure as it comes (images a second: one view
through the network, forward, backward and update, augmentation included; medians of three rounds of 1.5 s)
and the table last, of the medians of all runs. Needs the Python of a CUDA build of PyTorch.

  --losses contrastive          or rotation, or both, comma-separated
  --skip-large                  leaves batch 2048 out
  --runs 3                      everything three times in turn
"""
import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program", type=pathlib.Path)
parser.add_argument("--losses", default="contrastive,rotation")
parser.add_argument("--skip-large", action="store_true")
parser.add_argument("--runs", type=int, default=1)
options = parser.parse_args()
for loss in options.losses.split(","):
    if loss not in ("contrastive", "rotation"):
        parser.error(f"--losses '{loss}' is none of: contrastive, rotation")
if options.runs < 1:
    parser.error("--runs must be at least 1")
if not shutil.which(options.program.resolve()):
    parser.exit(2, f"{parser.prog}: {options.program} is no program; `ninja -C build/cuda bench_packing` makes "
                   "build/cuda/bin/bench_packing\n")
if not importlib.util.find_spec("torch"):
    parser.exit(2, f"{parser.prog}: this Python has no torch; run it with that of a CUDA build of PyTorch\n")

import torch  # noqa: E402  after the arguments, for --help

if not torch.cuda.is_available():
    parser.exit(2, f"{parser.prog}: torch sees no GPU, which both sides need\n")

torch_folder = pathlib.Path(torch.__file__).parent
libraries = [torch_folder / "lib", *torch_folder.parent.glob("nvidia/*/lib")]
environment = os.environ | {"LD_LIBRARY_PATH": ":".join(
    [*map(str, libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])}
peers = pathlib.Path(__file__).with_name("peers.py")
found = {}  # (loss, batch, who) -> images a second, of each run
failed, builds = [], set()


def run(name_of, *command):
    process = subprocess.Popen([str(word) for word in command], env=environment, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        one = json.loads(line)
        builds.update(filter(None, [one.get("build")]))
        who = name_of(one)
        found.setdefault((one["loss"], one["batch"], who), []).append(one["images_per_second"])
        print(f"{one['loss']} {one['batch']}: {who}: {one['images_per_second']:,}", file=sys.stderr, flush=True)
    if process.wait():  # the others are of use without it
        failed.append(f"{' '.join(map(str, command))} ended with {process.returncode}")
        print(failed[-1], file=sys.stderr, flush=True)


def packing(one):
    trials, _, parts = one["slots"].partition("/")
    return f"occam, {trials} trial{'s' if trials != '1' else ''}" + (f" on {parts} parts" if parts else "")


def occam(loss, batch, slots):
    run(packing, options.program.resolve(), "--loss", loss, "--batch", batch, "--slots", slots)


def name_of_peer(one):
    return (f"PyTorch {one['peer']}" + (f", {one['trials']} trials" if one["trials"] > 1 else "")
            + (f" on {one['parts']} parts" if one["parts"] > 1 else "")
            + (", bf16 weights" if one["weights"] == "bf16" else ""))


def peer(loss, batch, kinds, trials, *more):
    run(name_of_peer, sys.executable, peers, "--loss", loss, "--batch", batch, "--kinds", kinds, "--trials", trials,
        *more)


for _ in range(options.runs):
    for loss, batch in {"contrastive": 32, "rotation": 64}.items():
        if loss in options.losses.split(","):
            occam(loss, batch, "1,8,8/4" if loss == "contrastive" else "1,4,8/4")
            peer(loss, batch, "eager,compile", 1)
            peer(loss, batch, "graphs", "4,8,12")
            peer(loss, batch, "graphs", 8, "--weights", "bf16")
            peer(loss, batch, "graphs", 8, "--parts", 4)
            peer(loss, batch, "graphs", 8, "--parts", 4, "--weights", "bf16")
    if "contrastive" in options.losses.split(",") and not options.skip_large:
        occam("contrastive", 2048, "1,2/2,4/4")
        peer("contrastive", 2048, "compile,graphs", 1)
        peer("contrastive", 2048, "compile,graphs", 1, "--weights", "bf16")
medians = {key: round(statistics.median(rates)) for key, rates in found.items()}

driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"],
                        stdout=subprocess.PIPE, text=True).stdout.strip()
print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}, "
      f"cuDNN {torch.backends.cudnn.version()}, driver {driver}, occam {', '.join(builds)}\n")
print("| loss | batch | | images/s | of PyTorch eager | of the strongest PyTorch | of occam's 1 trial at 2048 |")
print("|---|---|---|---|---|---|---|")
large = medians.get(("contrastive", 2048, "occam, 1 trial"))
for (loss, batch, who), rate in medians.items():
    alike = {other: r for (l, b, other), r in medians.items() if (l, b) == (loss, batch) and other.startswith("PyTorch")}
    eager = alike.get("PyTorch eager")
    ratios = [f"{rate / eager:.1f}" if eager else "", f"{rate / max(alike.values()):.2f}" if alike else "",
              f"{rate / large:.2f}" if large and loss == "contrastive" and who.startswith("occam") else ""]
    print(f"| {loss} | {batch} | {who} | {rate:,} | " + " | ".join(ratios) + " |")
if failed:
    sys.exit("\n".join(failed))
