"""Fails when a file includes against the picture in ARCHITECTURE.md, or uses a foreign header away from home.

Usage: include_layers.py REPOSITORY
"""
import pathlib
import re
import sys

# Who may include whom; every folder may include itself.
LAYERS = {
    "experiments": set(),
    "images": {"experiments"},
    "results": {"experiments"},
    "slurm": {"experiments"},
    "orchestrator": {"experiments", "images", "results", "slurm"},
    "worker": {"experiments", "images"},
}
# A foreign header's only homes.
HOMES = {
    r"mpi\.h": ["orchestrator/link/mpi_link.cc"],
    r"nccl.*\.h": ["worker/distributed/nccl_group.cc", "worker/cuda/window.cu"],
    r"turbojpeg\.h|png\.h": ["images/picture.cc"],
    r"SQLiteCpp/.*|sqlite3\.h": ["results/"],
    r"torch/.*|ATen/.*|c10/.*|cuda.*": ["worker/"],
    r"boost/math/.*": ["results/statistics/"],
    r"boost/program_options\.hpp": ["orchestrator/", "worker/main.cc"],
}


def problems(root):
    for folder, allowed in LAYERS.items():
        files = [f for f in (root / folder).rglob("*") if f.suffix in (".h", ".cc", ".cu", ".cuh")]
        for file in sorted(files):
            name = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text().splitlines(), 1):
                ours = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if ours:
                    target = ours.group(1).split("/")[0]
                    if target not in allowed | {folder, "generated"}:
                        yield f"{name}:{number}: {folder} must not include {ours.group(1)}"
                foreign = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
                if foreign:
                    for pattern, homes in HOMES.items():
                        if re.fullmatch(pattern, foreign.group(1)) and not any(
                            name.startswith(home) for home in homes
                        ):
                            yield f"{name}:{number}: <{foreign.group(1)}> is at home in {', '.join(homes)}"
            if name.startswith("orchestrator/link/") and '"results/' in file.read_text():
                yield f"{name}: a link knows nothing of results"


found = list(problems(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "every include follows the picture")
sys.exit(1 if found else 0)
