"""The same 2,000 trivial trials through occam and through the tools from PyPI that people use for it: two workers, and as
far as the tool can, every result durable in an SQLite file.

Usage: python3 bench/orchestrators.py build/release/bin [NAME...]

Makes build/peers, a virtual environment with the pinned versions below, on the first run with others than occam. Prints
one Markdown table; figures depend on the machine, so they stand in bench/README.md with its name. Peers are timed from
the first trial that is handed in to the last result, their own start-up left out; occam is timed as the whole command,
its start-up included. The slow ones get fewer trials, as the table says.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

from programs import need_programs

PACKAGES = ["parsl==2026.10.26", "dask==2026.8.0", "distributed==2026.8.0", "py-experimenter==1.4.2", "optuna==5.0.0",
            "hyperqueue==0.27.0", "ray[tune]==2.60.0"]
WORKERS = 2


def trial(seed):
    return seed, (seed * 2654435761 % 1000) / 1000


class Results:
    """What a user would write: a row a result, committed at once."""

    def __init__(self, full=True):
        self.database = sqlite3.connect("results.db", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        self.database.execute("CREATE TABLE result(seed INTEGER PRIMARY KEY, auroc REAL)")

    def add(self, result):
        self.database.execute("INSERT INTO result VALUES (?, ?)", result)


# Each peer runs so many trials in the current folder and returns the seconds that took.


def pool(count, full=True):
    results = Results(full)
    with multiprocessing.Pool(WORKERS) as workers:
        workers.map(trial, range(WORKERS))
        began = time.perf_counter()
        for result in workers.imap_unordered(trial, range(count)):
            results.add(result)
        return time.perf_counter() - began


def pool_normal(count):
    return pool(count, full=False)


def parsl(count):
    import parsl as tool
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    tool.load(Config(run_dir="runinfo", executors=[HighThroughputExecutor(
        address="127.0.0.1", max_workers_per_node=WORKERS, provider=LocalProvider(init_blocks=1, max_blocks=1))]))
    app = tool.python_app(trial)
    [one.result() for one in [app(i) for i in range(WORKERS)]]
    began = time.perf_counter()
    [one.result() for one in [app(i) for i in range(count)]]
    taken = time.perf_counter() - began
    tool.dfk().cleanup()
    return taken


def dask(count):
    from dask.distributed import Client, LocalCluster, as_completed

    results = Results()
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.gather(client.map(trial, range(WORKERS), pure=False))
        began = time.perf_counter()
        for _, result in as_completed(client.map(trial, range(count), pure=False), with_results=True):
            results.add(result)
        return time.perf_counter() - began


def hyperqueue(count):
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=WORKERS))
        client = cluster.client()
        began = time.perf_counter()
        job = Job()
        for _ in range(count):
            job.program(["/bin/true"], stdout=None, stderr=None)
        client.wait_for_jobs([client.submit(job)])
        return time.perf_counter() - began


def py_experimenter(count):
    from py_experimenter.experimenter import PyExperimenter

    pathlib.Path("config.yml").write_text(f"""
PY_EXPERIMENTER:
  n_jobs: {WORKERS}
  Database:
    provider: sqlite
    database: results
    table:
      name: trials
      keyfields:
        seed:
          type: int
          values:
            start: 0
            stop: {count - 1}
            step: 1
      resultfields:
        auroc: double
""")
    tool = PyExperimenter(experiment_configuration_file_path="config.yml", use_codecarbon=False)
    tool.fill_table_from_config()

    def run(keyfields, result_processor, custom_fields):
        result_processor.process_results({"auroc": trial(keyfields["seed"])[1]})

    began = time.perf_counter()
    tool.execute(run, max_experiments=-1)
    return time.perf_counter() - began


def _optuna_worker(count):
    import optuna as tool

    tool.logging.set_verbosity(tool.logging.WARNING)
    study = tool.load_study(study_name="bench", storage="sqlite:///results.db", sampler=tool.samplers.RandomSampler())
    study.optimize(lambda one: trial(one.suggest_int("seed", 0, 100000))[1], n_trials=count)


def optuna(count):
    import optuna as tool

    tool.logging.set_verbosity(tool.logging.WARNING)
    tool.create_study(study_name="bench", storage="sqlite:///results.db")
    workers = [multiprocessing.Process(target=_optuna_worker, args=(count // WORKERS,)) for _ in range(WORKERS)]
    began = time.perf_counter()
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return time.perf_counter() - began


def ray_tune(count):
    import ray
    from ray import tune

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(lambda config: {"auroc": trial(config["seed"])[1]},
                       param_space={"seed": tune.grid_search(list(range(count)))},
                       run_config=tune.RunConfig(verbose=0, storage_path=os.getcwd()))
    began = time.perf_counter()
    tuner.fit()
    return time.perf_counter() - began


def occam(count, programs, slots):
    pathlib.Path("spec.json").write_text(json.dumps({
        "name": "bench", "trial": {"dataset": "synthetic", "class": 0, "steps": 1}, "grid": {"seed": list(range(count))},
        "evaluate": {"classifiers": ["kde"]}}))
    pathlib.Path("fake.json").write_text(json.dumps({"slots": slots}))
    began = time.perf_counter()
    subprocess.run([programs / "occam", "run", "spec.json", "--worker", programs / "fake-worker", "--workers", str(WORKERS),
                    "--device", "cpu", "-q"], env={**os.environ, "OCCAM_FAKE": "fake.json"}, check=True)
    taken = time.perf_counter() - began
    assert sqlite3.connect("occam.db").execute("SELECT count(*) FROM results").fetchone()[0] == count
    return taken


PEERS = {
    "pool": (2000, "a process pool, each result committed (WAL, FULL)", "own SQL", pool),
    "pool-normal": (2000, "the same with synchronous = NORMAL, which a power cut may undo", "own SQL", pool_normal),
    "parsl": (2000, "parsl 2026.10.26, HighThroughputExecutor", "none", parsl),
    "dask": (2000, "Dask 2026.8.0, each result committed (WAL, FULL)", "own SQL", dask),
    "hyperqueue": (2000, "HyperQueue 0.27.0, commands (/bin/true)", "none", hyperqueue),
    "py-experimenter": (400, "PyExperimenter 1.4.2, SQLite", "its table", py_experimenter),
    "optuna": (200, "Optuna 5.0.0, SQLite", "its tables", optuna),
    "ray-tune": (20, "Ray Tune 2.60.0", "files", ray_tune),
}


def in_folder(run):
    with tempfile.TemporaryDirectory(prefix="occam-peers-", ignore_cleanup_errors=True) as folder:
        here = os.getcwd()
        os.chdir(folder)
        try:
            return run()
        finally:
            os.chdir(here)


def name_of(text):
    if text != "occam" and text not in PEERS:
        raise argparse.ArgumentTypeError(f"'{text}' is none of occam, {', '.join(PEERS)}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path, help="the folder of occam and fake-worker")
    parser.add_argument("names", nargs="*", type=name_of, metavar="NAME", default=["occam", *PEERS],
                        help=f"of occam, {', '.join(PEERS)}; default: all")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)  # what this script starts of itself
    options = parser.parse_args()
    if options.peer:
        count, _, _, run = PEERS[options.peer]
        print("seconds", in_folder(lambda: run(count)))
        return
    programs = options.programs.resolve()
    need_programs(parser, programs, "occam", "fake-worker")
    environment = pathlib.Path(__file__).resolve().parents[1] / "build/peers"
    if set(options.names) != {"occam"} and not (environment / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([environment / "bin/pip", "install", "-q", *PACKAGES], check=True)
        (environment / "ready").touch()
    print("| two workers | trials | a second | results in |\n|---|---|---|---|", flush=True)
    if "occam" in options.names:
        for slots in (32, 1):
            rates = sorted(2000 / in_folder(lambda: occam(2000, programs, slots)) for _ in range(3))
            print(f"| occam, workers of {slots} slot{'s' if slots > 1 else ''}, whole command | 2000 | {rates[1]:.0f} "
                  "| occam.db, FULL |", flush=True)
    peers_environment = {**os.environ, "PATH": f"{environment / 'bin'}:{os.environ['PATH']}"}
    for name, (count, what, store, _) in PEERS.items():
        if name not in options.names:
            continue
        result = subprocess.run([environment / "bin/python", __file__, programs, "--peer", name], capture_output=True,
                                text=True, timeout=900, env=peers_environment)
        seconds = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("seconds ")]
        rate = f"{count / float(seconds[0]):.3g}" if seconds else "failed: " + result.stderr.strip().split("\n")[-1]
        print(f"| {what} | {count} | {rate} | {store} |", flush=True)


if __name__ == "__main__":
    main()
