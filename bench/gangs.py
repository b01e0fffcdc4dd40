"""Gangs of 1, 2, 4 and 8 GPUs against as many without a gang: one table.

    ninja -C build/cuda bench_gangs && python3 bench/gangs.py build/cuda/bin/bench_gangs
    python3 bench/gangs.py build/release/bin/bench_gangs --device cpu     # does it run at all?

Prints every figure as it comes and the table last. Exits 1 when parameters of gangs differ by more
than 1e-5 in fp32 or, in bf16, than the training has moved, when a trial whose member is killed ends with another table
or without a second start, when the planner chooses wrongly at more than one batch size, by more than 10 %, or when a
process fails. --parts takes of
  speed      images a second; linear is what the GPUs do without a gang, all at the same time
  kernels    where the time of a step goes on the first GPU of a gang of 2
  equality   the parameters against those of no gang
  packed     as many GPUs as workers of their own
  leave      how soon a member is free when another was killed
  killed     a sweep whose gang loses a member (occam and occam-worker lie beside the program)
  planner    what a gang of 2 does of 2 packed GPUs' work, and what `occam plan` chooses
"""
import argparse
import ctypes
import glob
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

EQUAL = 1e-5
WORTH = 0.75  # the least work of two packed GPUs that a gang of two should do (orchestrator/gang_plan.h)


def environment():
    """With the libraries of this Python's torch, where the program was built for another place."""
    found = importlib.util.find_spec("torch")
    folders = [os.environ.get("LD_LIBRARY_PATH", "")]
    if found and found.origin:
        torch = os.path.dirname(found.origin)
        folders = [f"{torch}/lib", *glob.glob(f"{torch}/../nvidia/*/lib"), *folders]
    # Multicast over NVLink can put the GPUs of a shared host out of service.
    return os.environ | {
        "LD_LIBRARY_PATH": ":".join(filter(None, folders)),
        "NCCL_NVLS_ENABLE": os.environ.get("NCCL_NVLS_ENABLE", "0"),
    }


class Failed(Exception):
    pass


def shown(line):
    print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)


def start(program, given):
    return subprocess.Popen(
        [program, json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )


def tell(process, line):
    try:
        os.write(process.stdin.fileno(), (line + "\n").encode())
    except BrokenPipeError:
        pass  # its end is seen as well


def run(processes, heard, limit=420, spared=()):
    """Tells heard(rank, line) what they say, lines of JSON, until all have ended. When one fails that is not spared, or
    after `limit` seconds, that is an error at once; none is left behind."""
    said, end = queue.Queue(), time.monotonic() + limit

    def read(rank):
        for line in processes[rank].stdout:
            said.put((rank, line))
        said.put((rank, None))

    def left():
        return max(0, end - time.monotonic())

    readers = [threading.Thread(target=read, args=[rank], daemon=True) for rank in range(len(processes))]
    try:
        for reader in readers:
            reader.start()
        reading = len(readers)
        while reading:
            rank, line = said.get(timeout=left())
            if line is None:
                reading -= 1
                if processes[rank].wait(left()) and rank not in spared:
                    raise Failed(f"rank {rank} ended with {processes[rank].returncode}")
                continue
            try:
                line = json.loads(line)
            except ValueError:
                shown(f"rank {rank}: {line.rstrip()}")
                continue
            heard(rank, line)
    except (queue.Empty, subprocess.TimeoutExpired):
        raise Failed(f"not done after {limit} s") from None
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        for reader in readers:
            reader.join(5)


def gang(program, size, options):
    """What rank 0 says."""
    processes = [
        start(program, options | {"work": "gang", "rank": rank, "size": size, "device": device_of(rank)})
        for rank in range(size)
    ]
    said = []

    def heard(rank, line):
        if rank > 0:
            shown(f"rank {rank}: {line}")
        elif "ticket" in line:
            for process in processes[1:]:
                tell(process, line["ticket"])
        else:
            shown(f"R={size}: {line}")
            said.append(line)

    run(processes, heard)
    return said


def alone(program, options):
    said = []

    def heard(_, line):
        shown(f"alone: {line}")
        said.append(line)

    run([start(program, {"work": "alone", "device": device_of(0)} | options)], heard)
    return said


def together(program, size, options):
    """What `size` processes say, each with a GPU of its own, that are timed at the same times."""
    processes = [start(program, options | {"rank": rank, "device": device_of(rank)}) for rank in range(size)]
    said = [[] for _ in processes]
    ready = set()

    def heard(rank, line):
        if "ready" not in line:
            said[rank].append(line)
            return
        ready.add(rank)
        if len(ready) == size:
            ready.clear()
            for process in processes:
                tell(process, "go")

    run(processes, heard)
    for rank, lines in enumerate(said):
        for line in lines:
            shown(f"{options['work']}, {rank} of {size}: {line}")
    return said


def packed(program, size, options):
    """Images a second of `size` processes, each with packed trials on a GPU of its own."""
    said = together(program, size, options | {"work": "packed"})
    total = sum(line.get("images_per_second", 0) for lines in said for line in lines)
    shown(f"packed on {size}: {total:,.0f} images/s")
    return total


def leaving(program, size, options):
    """Of a gang whose last member is killed, or of one alone: what rank 0 says when it is told to go."""
    processes = [
        start(program, options | {"work": "leave", "rank": rank, "size": size, "device": device_of(rank)})
        for rank in range(size)
    ]
    said, spared = {}, set()

    def heard(rank, line):
        if rank > 0:
            return
        shown(f"leaving, R={size}: {line}")
        said.update(line)
        if "ticket" in line:
            for process in processes[1:]:
                tell(process, line["ticket"])
        if "running" in line:
            time.sleep(1)
            if size > 1:
                spared.add(size - 1)
                processes[-1].kill()
            time.sleep(0.5)
            tell(processes[0], "leave")

    run(processes, heard, 120, spared)
    return said


def device_of(rank):
    return f"cuda:{rank}" if arguments.device == "cuda" else "cpu"


def gpus():
    """As many as CUDA sees: those of CUDA_VISIBLE_DEVICES, and no parts of one (MIG)."""
    if arguments.device == "cpu":
        return 2
    count = ctypes.c_int()
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    return count.value if cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def equality(program, sizes, folder, small):
    """Whether gangs end where one GPU does: rows (what, same bits, relative difference, the bound).

    The control is one GPU against itself with other algorithms, or on a CPU with two threads: what the order
    of sums alone makes of the same training.
    """
    rows = []
    cases = [(loss, "fp32") for loss in arguments.losses]
    if arguments.device == "cuda":
        cases.append((arguments.losses[0], "bf16"))
    for loss, precision in cases:
        name = f"{loss}, {precision}"
        options = small | {
            "loss": loss, "precision": precision, "deterministic": True, "steps": arguments.steps,
            "batches": [arguments.equality_batch], "learning_rate": arguments.learning_rate,
            "head_layers": arguments.head_layers,
        }  # fmt: skip
        plain = os.path.join(folder, "alone")

        def compared(path):
            return alone(program, {"work": "compare", "first": path, "second": plain})[0]

        alone(program, options | {"file": plain})
        path = os.path.join(folder, "other")
        alone(program, options | {"steps": 0, "file": path})
        moved = compared(path)["relative"]
        rows.append((f"{name}: how far the training moved", False, moved, None))
        if precision == "fp32":
            alone(program, options | {"deterministic": False, "threads": 2, "file": path})
            rows.append((f"{name}: control", False, compared(path)["relative"], None))
        for size in sizes:
            path = os.path.join(folder, f"gang.{size}")
            gang(program, size, options | {"file": path})
            found = compared(path)
            bound = 0 if size == 1 else EQUAL if precision == "fp32" else moved
            rows.append((f"{name}: gang of {size}", found["same_bits"], found["relative"], bound))
    return rows


def beside(name):
    """The path of a program in bench_gangs' folder."""
    return os.path.join(os.path.dirname(os.path.abspath(arguments.program)), name)


def occam(*words):
    return [beside("occam"), *words]


def planned(batch, folder):
    """Whether `occam plan` gives one trial that has two GPUs to itself a gang."""
    spec, database = os.path.join(folder, "spec.json"), os.path.join(folder, "none.db")
    trial = {"dataset": "fashion-mnist", "class": 0, "loss": arguments.loss, "batch_size": batch, "gpus": "auto",
             "precision": "bf16"}  # fmt: skip
    with open(spec, "w") as file:
        json.dump({"name": "planned", "trial": trial}, file)
    words = occam("plan", spec, "--db", database, "--gpus", "2", "--json")
    made = subprocess.run(words, capture_output=True, text=True, env=environment())
    if made.returncode:
        raise Failed(made.stderr)
    return "2" in json.loads(made.stdout)["gangs"]


def planner(program, small, folder):
    """Rows (batch, share of two packed GPUs' work that a gang of two does, planned)."""
    rows = []
    for batch in arguments.planner_batches:
        options = small | {"batches": [batch], "seconds": arguments.seconds, "loss": arguments.loss}
        both = next(line["images_per_second"] for line in gang(program, 2, options) if "what" in line)
        one = packed(program, 1, options | {"slots": arguments.slots if batch <= 256 else 2})
        rows.append((batch, both / one / 2, planned(batch, folder)))
    return rows


def kill_worker(process, db):
    """One of those of an `occam run`, once there is a checkpoint."""
    while process.poll() is None and not glob.glob(db + ".work/*/*.ckpt"):
        time.sleep(0.05)
    try:
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            workers = file.read().split()
        os.kill(int(workers[-1]), 9)
    except (OSError, IndexError):
        raise Failed(f"occam run ended too soon, with {process.wait(60)}: no member was killed") from None
    shown(f"checkpoint seen; kill -9 of {workers[-1]}, one of {len(workers)} workers")


def killed():
    """(is the table an undisturbed run's, what was seen) of a sweep of one gang of two, a worker of which is killed."""
    cpu = arguments.device == "cpu"
    trial = {"dataset": "synthetic", "class": 0, "loss": arguments.loss, "gpus": 2, "batch_size": 16 if cpu else 512,
             "steps": 300 if cpu else 1500}  # fmt: skip
    trial |= {"width": 0.125, "depth": 10} if cpu else {"precision": "bf16"}
    words = ["--workers", "2", "--force-gangs", "--deterministic", "--checkpoint-every", "1", "-q", "--device", arguments.device]
    tables, counts = [], []
    with tempfile.TemporaryDirectory() as folder:
        spec = os.path.join(folder, "spec.json")
        with open(spec, "w") as file:
            json.dump({"name": "killed", "trial": trial, "evaluate": {"classifiers": ["kde", "gde"]}}, file)
        for disturbed in (False, True):
            db = os.path.join(folder, f"{disturbed}.db")
            process = subprocess.Popen(occam("run", spec, "--db", db, *words), env=environment())
            try:
                if disturbed:
                    kill_worker(process, db)
                if process.wait(300):
                    raise Failed(f"occam run ended with {process.returncode}")
            except subprocess.TimeoutExpired:
                raise Failed("occam run was not done after 300 s") from None
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            with open(db + ".events.jsonl") as file:
                events = [json.loads(line)["event"] for line in file]
            starts, lost = events.count("started"), events.count("lost")
            counts.append((starts, lost))
            query = "SELECT classifier, auroc, average_precision, fpr95 FROM results ORDER BY 1"
            made = subprocess.run(occam("query", db, query), capture_output=True, text=True, env=environment())
            shown(f"{starts} starts, {lost} workers lost\n{made.stdout or made.stderr}")
            tables.append(made.stdout)
    if counts[1][0] <= counts[0][0] or counts[1][1] <= counts[0][1]:
        raise Failed("the kill disturbed nothing: {} starts and {} workers lost, without it {} and {}".format(
            *counts[1], *counts[0]))  # fmt: skip
    return tables[0] == tables[1] and tables[0] != "", f"{starts} starts"


def main():
    program = os.path.abspath(arguments.program)
    sizes = [size for size in (1, 2, 4, 8) if size <= (arguments.most or gpus())]
    if not sizes:
        parser.exit(2, "gangs.py: no GPU is visible; --device cpu shows that the program runs\n")
    small = {} if arguments.device == "cuda" else {"width": 0.125, "depth": 10, "rows": 600}
    batches = arguments.batches
    speed = small | {"batches": batches, "seconds": arguments.seconds, "loss": arguments.loss}
    rates, linear = {}, {}
    said = []
    parts = arguments.parts
    if "speed" in parts:
        for size in sizes:
            without = together(program, size, speed | {"work": "alone", "meets": True})
            said += without[0]
            for batch in batches:
                linear[size, batch] = sum(
                    line["images_per_second"] for lines in without for line in lines if line.get("batch") == batch
                )
            for line in gang(program, size, speed):
                if "what" in line:
                    rates[size, line["batch"]] = line["images_per_second"]
    if "kernels" in parts:
        gang(program, 2, speed | {"kernels": True})
    rows = []
    if "equality" in parts:
        with tempfile.TemporaryDirectory() as folder:
            rows = equality(program, sizes, folder, small)
    independent = {}
    if "packed" in parts:
        options = small | {
            "batches": [arguments.packed_batch], "slots": arguments.slots, "seconds": arguments.seconds + 1,
        }  # fmt: skip
        for size in sizes:
            independent[size] = packed(program, size, options)
    left = {}
    if "leave" in parts:
        options = small | {"batches": [arguments.equality_batch]}
        for size in sizes[:2]:
            left[size] = leaving(program, size, options)
    if "killed" in parts:
        same, seen = killed()
        print(f"a member killed, the trial resumed ({seen}): " + ("the undisturbed run's table" if same else "ANOTHER TABLE"))
        if not same:
            return 1
    choices = []
    if "planner" in parts:
        with tempfile.TemporaryDirectory() as folder:
            choices = planner(program, small, folder)
    table(said, sizes, rates, linear, rows, independent, left)
    wrong = 0
    for batch, worth, is_gang in choices:
        right, near = is_gang == (worth >= WORTH), abs(worth / WORTH - 1) <= 0.1
        wrong += not right and not near
        print(f"batch {batch}: a gang of 2 does {worth:.3f} of the work of 2 packed GPUs; planned: "
              + ("a gang" if is_gang else "single GPUs")
              + ("" if right else ", wrong by less than 10 %" if near else ", WRONG"))  # fmt: skip
    return 0 if wrong <= 1 and all(bound is None or relative <= bound for _, _, relative, bound in rows) else 1


def table(said, sizes, rates, linear, rows, independent, left):
    about = next((line for line in said if "device" in line), {})
    print(f"\n{about.get('device', arguments.device)}, torch {about.get('torch', '?')}, {arguments.loss}")
    if rates:
        print(f"\n{'batch':>6} {'R':>2} {'images/s':>10} {'R without gang':>14} {'of linear':>10}")
    for batch in arguments.batches if rates else []:
        for size in sizes:
            rate, most = rates[size, batch], linear[size, batch]
            print(f"{batch:>6} {size:>2} {rate:>10,.0f} {most:>14,.0f} {rate / most:>10.3f}")
    if rows:
        print(f"\nafter {arguments.steps} steps at batch {arguments.equality_batch}, rate {arguments.learning_rate:g}, "
              f"{arguments.head_layers} head layers:")  # fmt: skip
    for what, same, relative, bound in rows:
        verdict = "" if bound is None else " FAILED" if relative > bound else " ok"
        print(f"  {what}: " + ("the same bits" if same else f"parameters differ by {relative:.2g}") + verdict)
    for size, rate in independent.items():
        print(f"{size} x {arguments.slots} packed trials at batch {arguments.packed_batch}: {rate:,.0f} images/s, "
              f"{rate / independent[1] / size:.3f} of {size} times one")  # fmt: skip
    for size, told in left.items():
        print(f"gang of {size}, {'a member killed' if size > 1 else 'told to leave'}: "
              + (f"left after {told.get('left_after_seconds', -1):.2f} s" if "broken" in told else "did not break")
              + (", and trained on alone" if told.get("usable") else ", and was of no use after"))  # fmt: skip


PARTS = ["equality", "speed", "kernels", "packed", "leave", "killed", "planner"]


def words_of(text):
    return text.split(",")


def parts_of(text):
    parts = words_of(text)
    for part in parts:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"'{part}' is none of {', '.join(PARTS)}")
    return parts


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program")
parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
parser.add_argument("--most", type=int, help="the largest gang; default: as many as there are GPUs")
parser.add_argument("--batches", type=lambda text: [int(word) for word in text.split(",")])
parser.add_argument("--loss", default="contrastive")
parser.add_argument("--seconds", type=float, default=2.0, help="of each timing")
parser.add_argument("--parts", type=parts_of, default=["equality", "speed", "packed", "leave"])
parser.add_argument("--planner-batches", type=lambda text: [int(word) for word in text.split(",")],
                    default=[32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048], help="of the part `planner`")  # fmt: skip
parser.add_argument("--steps", type=int, help="before parameters are compared; default: 50 on GPUs, 10 on a CPU")
parser.add_argument("--equality-batch", type=int, default=64)
parser.add_argument("--learning-rate", type=float, default=2e-6, help="where parameters are compared; at the "
                    "usual one a rounding grows by far more than 1e-5, without a gang too")  # fmt: skip
parser.add_argument("--head-layers", type=int, default=1, help="where parameters are compared")
parser.add_argument("--losses", type=words_of, default=["contrastive", "rotation"], help="likewise")
parser.add_argument("--packed-batch", type=int, default=32)
parser.add_argument("--slots", type=int, default=8)
arguments = parser.parse_args()
if not arguments.batches:
    arguments.batches = [256, 512, 1024, 2048, 4096] if arguments.device == "cuda" else [32]
if arguments.steps is None:
    arguments.steps = 50 if arguments.device == "cuda" else 10
if not shutil.which(os.path.abspath(arguments.program)):
    parser.exit(2, f"gangs.py: {arguments.program} is no program; `ninja -C build/cuda bench_gangs` makes "
                   "build/cuda/bin/bench_gangs\n")  # fmt: skip
for name in ("occam", "occam-worker") if {"killed", "planner"} & set(arguments.parts) else ():
    if not shutil.which(beside(name)):
        parser.exit(2, f"gangs.py: no {name} lies beside {arguments.program}; --parts killed and planner need it\n")
began = time.monotonic()
try:
    sys.exit(main())
except Failed as problem:
    sys.exit(f"gangs.py: {problem}")
