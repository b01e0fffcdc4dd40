"""Bad input: one clear message, exit code 2 or 1, nothing started, nothing lost."""

import contextlib
import gzip
import json
import os
import pathlib
import shutil
import sqlite3

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
bad_spec("two budgets", at("trial", "epochs", value=2), "epochs and steps")
bad_spec("an empty list", at("grid", "class", value=[]), "grid.class", "empty list")
bad_spec("everything excluded", lambda spec: spec.update(exclude=[{"batch_size": [8, 16]}]), "none is left")
bad_spec("a table of no field", at("tables", "main", "rows", value="batch_sise"), "did you mean 'batch_size'")
bad_spec("no augmentation", at("trial", "augmentations", value="hflip+flop"), "'flop' is no augmentation")

for what, text, words in [
    ("an empty spec", b"", [":1:", "not JSON"]),
    ("a spec that is cut off", json.dumps(SMALL, indent=1).encode()[:90], [":", "not JSON"]),
    ("a spec of other bytes", bytes(range(256)), [":1:", "not JSON"]),
    ("a key given twice", b'{\n"name": "a",\n"name": "b"}', [":3:", "name", "twice"]),
    ("a list as spec", b"[]", [":1:", "must be an object"]),
    ("a spec without a name", b"{}", [":1:", "needs a name"]),
]:
    folder = Folder()
    pathlib.Path(folder.spec).write_bytes(text)
    refused(what, folder.command(), 2, "spec.json", *words, folder=folder)
folder = Folder()
as_it_is = run([OCCAM, "expand", folder.spec]).stdout
for what, change in [("Windows' line ends", lambda text: text.replace(b"\n", b"\r\n")),
                     ("a byte order mark", lambda text: b"\xef\xbb\xbf" + text)]:
    text = json.dumps(SMALL, indent=1).encode()
    pathlib.Path(folder.spec).write_bytes(change(text))
    expect(run([OCCAM, "expand", folder.spec]).stdout == as_it_is != "", f"{what}: change nothing")

folder = Folder()
refused("missing spec", [OCCAM, "run", str(folder.path / "no.json")], 2, "no.json", "cannot read")
refused("--workers 0", folder.command("--workers", "0"), 2, "--workers", folder=folder)
refused("unknown device", [OCCAM, "run", folder.spec, "--db", folder.db, "--device", "tpu"], 2,
        "'tpu'", "auto, cpu, cuda", folder=folder)
refused("no GPU", [OCCAM, "run", folder.spec, "--db", folder.db, "--device", "cuda"], 1, "--device cpu",
        folder=folder)
refused("unknown option", folder.command("--worker-count", "2"), 2, "--worker-count", folder=folder)
refused("unknown command", [OCCAM, "rnu"], 2, "did you mean 'run'")
refused("a spec that is a folder", folder.command()[:2] + [str(folder.path), "--db", folder.db], 2, "is a folder",
        folder=folder)
refused("no spec", [OCCAM, "run"], 2, "missing", "occam run SPEC")
refused("two specs", folder.command(folder.spec), 2, "too many words", "occam run SPEC", folder=folder)
refused("a word as number", folder.command("--threads", "two"), 2, "--threads", "a whole number", folder=folder)
refused("an endless wait", folder.command("--walltime", "nan"), 2, "--walltime", "above 0", folder=folder)
refused("another endless wait", folder.command("--silence", "inf"), 2, "--silence", "above 0", folder=folder)
refused("nothing and something kept", folder.command("--keep", "none,scores"), 2, "none stands alone", folder=folder)
refused("--only that is nothing", folder.command("--only", "batch_size=7"), 2, "--only batch_size=7", "no trial",
        folder=folder)
refused("--only of no field", folder.command("--only", "batchsize=8"), 2, "--only batchsize=8",
        "did you mean 'batch_size'", folder=folder)
refused("no such worker", folder.command("--worker", str(folder.path / "worker")), 1, "--worker", "is no program",
        folder=folder)
refused("a worker that is on no path", folder.command("--worker", "no-such-worker"), 1, "PATH", folder=folder)
refused("scores of no database", [OCCAM, "evaluate", folder.spec, "--db", folder.db], 1, "no such file", folder=folder)
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
loop = Folder()
os.symlink("occam.db", loop.db)
refused("a loop of links as database", loop.command(), 1, "occam.db: Too many levels", folder=loop)
half = Folder(spec_with(at("trial", "precision", value="bf16")))
refused("bf16 on a CPU", half.command(), 2, "precision bf16 needs a GPU", folder=half)
planned = run([OCCAM, "plan", half.spec, "--db", half.db, "--workers", "1"])
expect(planned.returncode == 0 and "to run" in planned.stdout, "bf16 on a CPU: is planned")
expect("precision bf16 needs a GPU" in planned.stderr and "--gpus N" in planned.stderr, "bf16 on a CPU: plan warns")
pipe = Folder()
os.mkfifo(pipe.db)
refused("a pipe as database", pipe.command(), 1, "occam.db", "a device or a pipe", folder=pipe)
foreign = Folder()
with contextlib.closing(sqlite3.connect(foreign.db)) as database, database:
    database.execute("CREATE TABLE mine(x)")
for words in ["run", foreign.spec, "--db", foreign.db], ["table", foreign.db]:
    refused(f"another program's database: {words[0]}", [OCCAM, *words], 1, "of another program", folder=foreign)
refused("a table of no database", [OCCAM, "table", str(folder.path / "none.db")], 1, "none.db")

if os.geteuid() == 0 and shutil.which("setpriv"):
    # Root may write anywhere; an ordinary user may not.
    closed = Folder()
    os.chmod(closed.path, 0o555)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reachable = run(user + ["test", "-x", OCCAM]).returncode == 0
    if reachable:
        refused("no write permission", user + closed.command(), 1, "occam.db: its folder", "Permission denied")
    os.chmod(closed.path, 0o755)
elif os.geteuid() != 0:
    closed = Folder()
    os.chmod(closed.path, 0o555)
    refused("no write permission", closed.command(), 1, "occam.db: its folder", "Permission denied")
    os.chmod(closed.path, 0o755)

# What a newcomer asks first: every command's help says what it does, by example, and fits the terminal.
for name in [line.split()[0] for line in run([OCCAM, "--help"]).stdout.splitlines() if line[:2] == "  " and line[2:8] != "occam "]:
    told = run([OCCAM, name, "--help"])
    expect(told.returncode == 0 and not told.stderr and told.stdout.startswith(f"occam {name}"), f"{name} --help: usage")
    expect("\nExamples:\n  occam" in told.stdout, f"{name} --help: examples")
    expect(max(map(len, told.stdout.splitlines())) <= 100, f"{name} --help: at most 100 columns")
    expect(" arg" not in told.stdout.partition("\nOptions:\n")[2], f"{name} --help: names every option's value")
finish()
