"""The README's way from a spec to the paper, as a newcomer types it: the spec and the commands are those of the README.
First at its size with a worker that trains nothing, then at a tiny one with real images and trainings.
"""

import json
import pathlib
import re
import shlex
import shutil
import subprocess

from sweeps import PROGRAMS, Folder, expect, finish, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = "experiments/specs/distribution-augmentation.json"
section = re.search(r"^## From the sweep to the paper\n(.*?)^## ", (ROOT / "README.md").read_text(), re.M | re.S)[1]
spec, commands, further = re.findall(r"^```(?:jsonc)?\n(.*?)^```", section, re.M | re.S)
lines = [line for line in spec.splitlines() if line.strip() and not line.lstrip().startswith("//")]
commands = commands.splitlines()
expect(len(lines) <= 15, f"the spec takes {len(lines)} lines")
expect(len(commands) <= 3, f"and the way {len(commands)} commands")
expect(spec == (ROOT / SPEC).read_text(), "the spec is the one that lies in the repository")


def newcomer(spec, *of_run):
    """A folder as after ./quickstart, where every command of the README is typed; `of_run` go to the first."""
    folder = Folder()
    (folder.path / "bin").symlink_to(PROGRAMS)
    (folder.path / SPEC).parent.mkdir(parents=True)
    (folder.path / SPEC).write_text(spec)
    said = []
    for number, command in enumerate([*commands, *further.splitlines()]):
        words = command if number else f"{command} {shlex.join(of_run)}"
        result = subprocess.run(["sh", "-c", words], cwd=folder.path, capture_output=True, text=True, timeout=600)
        expect(result.returncode == 0, f"{command}: {result.stderr.strip()[-500:]}")
        said.append(result.stdout)
    return folder, said


def looks_like_a_paper(folder, said, rows):
    table = (folder.path / "paper" / "main.tex").read_text()
    means = re.findall(r"^ *(\d+) & .*\$\\pm\$.*\$\\Delta\$\\,\$[+-]\$[\d.]+ \[", table, re.M)
    expect(means == rows, f"the table has an interval and a difference with its own at every batch size: {means}")
    expect("Contrastive (DA)" in table and "half of their 95 \\% t interval" in table, "under the spec's names")
    expect("These tasks, new seeds:" in said[2] and "New tasks:" in said[2], "the sentence makes both claims")
    if shutil.which("pdflatex") and not run(["kpsewhich", "booktabs.sty"]).returncode:
        made = run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=folder.path / "paper")
        expect(made.returncode == 0 and "Overfull" not in made.stdout, f"paper.tex compiles: {made.stdout[-500:]}")


looks_like_a_paper(*newcomer(spec, "--worker", str(PROGRAMS / "fake-worker"), "--workers", "2"),
                   ["16", "32", "64", "128"])
tiny = json.loads("\n".join(lines))
tiny["trial"] = {"dataset": "fashion-mnist", "steps": 3, "width": 0.125, "head_layers": 1, "train_limit": 64}
tiny["grid"].update({"seed": [1, 2], "class": [0, "sandal"], "batch_size": [16, 32]})
tiny["evaluate"]["test_limit"] = 200
looks_like_a_paper(*newcomer(json.dumps(tiny), "--device", "cpu"), ["16", "32"])
finish()
