"""Repeats trainings by occam with bench/peer.py, step by step, for every loss.

Usage: python3 bench/peer_replay.py build/release/bin [--steps 100] [--batch-size 8] [--data FOLDER]

occam-worker writes down a training of a narrow network on Fashion-MNIST in float64: every batch, the weights that it
met and its loss. The peer repeats each step from those weights, and then once more the whole training from the first
weights alone ("left to run"). Prints a Markdown table; exit code 1 when a loss differs by more than 1e-4 or the weights
by more than 1e-3 of their norm.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("programs", type=pathlib.Path)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--data", default="/usr/share/datasets", help="folder of fashion-mnist/")
options = parser.parse_args()

LOSSES = {
    "contrastive": {"loss": "contrastive"},
    "contrastive, rotations as instances": {"loss": "contrastive", "distribution_augmentation": "rotation"},
    "contrastive, 3 negatives": {"loss": "contrastive", "negatives": 3},
    "contrastive-symmetric": {"loss": "contrastive-symmetric"},
    "rotation": {"loss": "rotation"},
    "rotation without head (RotNet)": {"loss": "rotation", "head_layers": 0},
}
SHARED = {"dataset": "fashion-mnist", "class": "sandal", "depth": 10, "width": 0.0625, "head_layers": 3,
          "head_width": 64, "embedding": 32, "train_limit": 500, "steps": options.steps,
          "batch_size": options.batch_size}


def replay(folder, *how):
    peer = pathlib.Path(__file__).with_name("peer.py")
    done = subprocess.run([sys.executable, peer, "replay", folder, *how], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


print("| | steps | loss, first to last | largest difference of a loss | of the weights, relative "
      "| of the update, relative | left to run: of a loss |\n|---|---|---|---|---|---|---|")
fine = True
for name, loss in LOSSES.items():
    with tempfile.TemporaryDirectory() as folder:
        trial = pathlib.Path(folder, "trial.json")
        trial.write_text(json.dumps({**SHARED, **loss}))
        subprocess.run([options.programs / "occam-worker", "record", trial, "--keep", folder + "/kept", "--data",
                        options.data], check=True)
        found, free = replay(folder + "/kept"), replay(folder + "/kept", "--free")
    fine &= found["largest_loss_difference"] <= 1e-4 and found["largest_relative_weight_difference"] <= 1e-3
    print(f"| {name} | {found['steps']} | {found['first_loss']:.3f} to {found['last_loss']:.3f} "
          f"| {found['largest_loss_difference']:.1e} | {found['largest_relative_weight_difference']:.1e} "
          f"| {found['the_same_relative_to_the_step']:.1e} | {free['largest_loss_difference']:.1e} |", flush=True)
sys.exit(0 if fine else 1)
