"""Bad input: one clear message, exit code 2 or 1, nothing started, nothing lost."""

import gzip
import json
import os
import pathlib
import shutil

from sweeps import OCCAM, SMALL, Folder, expect, finish, run


def refused(what, command, code, *words, folder=None, **options):
    before = sorted(folder.path.rglob("*")) if folder else None
    result = run(command, **options)
    said = result.stderr.strip()
    expect(result.returncode == code, f"{what}: exit code {code}, not {result.returncode}")
    expect(all(word in said for word in words), f"{what}: says {words}: {said}")
    expect(said.count("occam:") == 1 and "terminate" not in said, f"{what}: one message")
    if folder:
        expect(sorted(folder.path.rglob("*")) == before, f"{what}: leaves no files behind")


def spec_with(change):
    spec = json.loads(json.dumps(SMALL))
    change(spec)
    return spec


def bad_spec(what, change, *words):
    folder = Folder(spec_with(change))
    refused(what, folder.command(), 2, "spec.json:1", *words, folder=folder)


def at(*path, value):
    def change(spec):
        for key in path[:-1]:
            spec = spec[key]
        spec[path[-1]] = value
    return change


bad_spec("unknown key", at("trial", "batchsize", value=3), "trial.batchsize", "did you mean 'batch_size'")
bad_spec("wrong type", at("trial", "width", value="wide"), "trial.width", "is not a number")
bad_spec("value out of range", at("trial", "weight_decay", value=-1), "trial.weight_decay", "0..10")
bad_spec("unknown name", at("grid", "loss", value=["moco"]), "grid.loss[0]", "'moco' is none of: contrastive")
bad_spec("class out of range", at("grid", "class", value=[10]), "class", "0..9")
bad_spec("unknown class", at("grid", "class", value=["sandals"]), "did you mean 'sandal'")
bad_spec("too large a batch", at("grid", "batch_size", value=[256]), "more than the 128 train rows")

folder = Folder()
refused("missing spec", [OCCAM, "run", str(folder.path / "no.json")], 2, "no.json", "cannot read")
refused("--workers 0", folder.command("--workers", "0"), 2, "--workers", folder=folder)
refused("unknown device", [OCCAM, "run", folder.spec, "--db", folder.db, "--device", "tpu"], 2,
        "'tpu'", "auto, cpu, cuda", folder=folder)
refused("no GPU", [OCCAM, "run", folder.spec, "--db", folder.db, "--device", "cuda"], 1, "--device cpu",
        folder=folder)
refused("unknown option", folder.command("--worker-count", "2"), 2, "--worker-count", folder=folder)
refused("unknown command", [OCCAM, "rnu"], 2, "did you mean 'run'")
refused("missing data folder", folder.command("--data", "/no/such/folder"), 1,
        "/no/such/folder", "dataset-fashion-mnist", folder=folder)

# A file of the data set whose download broke off.
data = folder.path / "data"
data.mkdir()
source = pathlib.Path("/usr/share/datasets/fashion-mnist")
for file in source.glob("*.gz"):
    shutil.copy(file, data)
whole = (data / "train-images-idx3-ubyte.gz").read_bytes()
(data / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
refused("truncated gz file", folder.command("--data", str(data)), 1, "train-images-idx3-ubyte.gz", "ends too early",
        folder=folder)
(data / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"not idx"))
refused("not an IDX file", folder.command("--data", str(data)), 1, "train-images-idx3-ubyte.gz", "IDX",
        folder=folder)

directory = Folder()
os.mkdir(directory.db)
refused("a directory as database", directory.command(), 1, "occam.db", "folder")
not_one = Folder()
not_one.write("occam.db", "This is a text, and no database at all. " * 100)
text = pathlib.Path(not_one.db).read_bytes()
refused("a database that is not one", not_one.command(), 1, "occam.db", "not")
expect(pathlib.Path(not_one.db).read_bytes() == text, "a database that is not one: stays as it was")
refused("a table of no database", [OCCAM, "table", str(folder.path / "none.db")], 1, "none.db")

if os.geteuid() == 0 and shutil.which("setpriv"):
    # Root may write anywhere; an ordinary user may not.
    closed = Folder()
    os.chmod(closed.path, 0o555)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reachable = run(user + ["test", "-x", OCCAM]).returncode == 0
    if reachable:
        refused("no write permission", user + closed.command(), 1, "occam.db", "Permission denied")
    os.chmod(closed.path, 0o755)
elif os.geteuid() != 0:
    closed = Folder()
    os.chmod(closed.path, 0o555)
    refused("no write permission", closed.command(), 1, "occam.db", "Permission denied")
    os.chmod(closed.path, 0o755)

# What a newcomer asks first: every command's help says what it does, by example, and fits the terminal.
for name in [line.split()[0] for line in run([OCCAM, "--help"]).stdout.splitlines() if line[:2] == "  " and line[2:8] != "occam "]:
    told = run([OCCAM, name, "--help"])
    expect(told.returncode == 0 and not told.stderr and told.stdout.startswith(f"occam {name}"), f"{name} --help: usage")
    expect("\nExamples:\n  occam" in told.stdout, f"{name} --help: examples")
    expect(max(map(len, told.stdout.splitlines())) <= 100, f"{name} --help: at most 100 columns")
    expect(" arg" not in told.stdout.partition("\nOptions:\n")[2], f"{name} --help: names every option's value")
finish()
