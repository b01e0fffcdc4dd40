"""Every step of a training, in float64, is that of a plain PyTorch script that shares no code with occam."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from sweeps import PROGRAMS, expect, finish

python = next((p for p in (os.environ.get("OCCAM_PYTHON"), "/usr/bin/python3", sys.executable) if p and
               subprocess.run([p, "-c", "import torch"], capture_output=True).returncode == 0), None)
if python is None:
    print("skipped: no Python here has torch; install python3-torch, or name one in OCCAM_PYTHON")
    sys.exit(77)

PEER = pathlib.Path(__file__).parents[2] / "bench" / "peer.py"
BASE = {"dataset": "synthetic", "steps": 12, "train_limit": 40, "batch_size": 8, "depth": 10,
        "width": 0.0625, "head_layers": 3, "head_width": 24}
CASES = [{"loss": "contrastive", "embedding": 16},
         {"loss": "contrastive", "embedding": 16, "negatives": 3, "temperature": 0.5, "head_layers": 0},
         {"loss": "contrastive-symmetric", "embedding": 16, "learning_rate_scaling": "sqrt", "schedule": "step"},
         {"loss": "rotation", "momentum": 0.5, "weight_decay": 0.01, "learning_rate_scaling": "linear"},
         {"loss": "rotation", "head_layers": 0, "depth": 18, "schedule": "constant"}]


def replay(folder):
    result = subprocess.run([python, PEER, "replay", folder], capture_output=True, text=True)
    return json.loads(result.stdout) if result.stdout else sys.exit(result.stderr)


for case in CASES:
    with tempfile.TemporaryDirectory(prefix="occam-test-") as name:
        folder = pathlib.Path(name)
        (folder / "trial.json").write_text(json.dumps({**BASE, **case}))
        kept = folder / "kept"
        subprocess.run([PROGRAMS / "occam-worker", "record", folder / "trial.json", "--keep", kept], check=True)
        found = replay(kept)
        expect(found["steps"] == 12 and found["largest_loss_difference"] < 1e-11
               and found["the_same_relative_to_the_step"] < 1e-9 and found["relative_statistics_difference"] < 1e-12,
               f"{case}: {found}")
        if case is CASES[0]:
            recipe = json.loads((kept / "recipe.json").read_text())
            recipe["trial"]["weight_decay"] *= 1.01
            (kept / "recipe.json").write_text(json.dumps(recipe))
            found = replay(kept)
            expect(found["the_same_relative_to_the_step"] > 1e-7, f"weight decay 1 % off shows: {found}")
finish()
