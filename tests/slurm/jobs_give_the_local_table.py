"""Jobs of a real sweep on a real Slurm: one on two nodes over MPI gives the local run's table byte for byte; what
status, cancel, doctor, --dry-run and --parsable say; what cannot be submitted says why and submits nothing."""

import json
import os
import pathlib
import shutil
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"),
                str(pathlib.Path(__file__).resolve().parents[1] / "faults")]
from cluster import Cluster  # noqa: E402
from fakes import FAKE, Sweep, undisturbed  # noqa: E402
from sweeps import OCCAM, SMALL, Folder, expect, finish  # noqa: E402

TWO_NODES = ["--nodes", "2", "--shards", "0", "--cpus-per-task", "1", "--time", "10"]


def submit(cluster, folder, *words, program=OCCAM, env=None):
    return cluster.call(program, "submit", folder.spec, "--db", folder.db, "--device", "cpu", *words, cwd=folder.path,
                        env=env or cluster.environment)


def job_of(result):
    expect(result.returncode == 0, f"submitted ({result.stderr[-300:]})")
    return result.stdout.split()[0]


with Cluster() as cluster:
    local, two = Folder(), Folder()
    job = job_of(submit(cluster, two, *TWO_NODES, "--parsable"))

    # Meanwhile: what refuses, and what is said.
    again = submit(cluster, two, *TWO_NODES)
    expect(again.returncode == 1 and f"job {job} (" in again.stderr, f"a second submission is refused: {again.stderr}")
    said = cluster.call(OCCAM, "status", two.db).stdout
    expect(f"job {job}: " in said, f"status knows the job: {said}")
    queue = json.loads((pathlib.Path(two.db + ".slurm") / "jobs.json").read_text())["queue"]
    for _ in range(3):
        cluster.call(OCCAM, "status", two.db)
    later = json.loads((pathlib.Path(two.db + ".slurm") / "jobs.json").read_text())["queue"]
    expect(later["asked_at"] == queue["asked_at"], "status asks squeue no more often than every 30 s")

    expect(cluster.call(*local.command("--workers", "2")).returncode == 0, "the local run ends with 0")
    state = cluster.wait_for(job, ("COMPLETED", "FAILED", "TIMEOUT"))
    log = (two.path / f"occam.db.slurm-{job}.log").read_text()
    expect(state == "COMPLETED", f"the job on two nodes: {state} {log[-1500:]}")
    expect(two.table() == local.table() and len(local.table()) > 100, "two nodes: the local table, byte for byte")
    expect(two.evaluations() == local.evaluations(), "two nodes: the same evaluation rows")
    nodes = {node for node, in two.query("SELECT DISTINCT node FROM attempt")}
    expect(nodes == {0, 1}, f"both nodes trained: {nodes}")
    expect(two.query("SELECT DISTINCT job, restart_count FROM attempt") == [(job, 0)], "attempts name their job")
    idle = submit(cluster, two, *TWO_NODES)
    expect(idle.returncode == 0 and "nothing was submitted" in idle.stderr, "a finished sweep is not submitted")

    # Scripts.
    one = Folder()
    dry = submit(cluster, one, "--gpus-per-node", "2", "--time", "1:00:00", "--dry-run", "--", "--comment=a b")
    expect(dry.returncode == 0 and "#SBATCH '--comment=a b'" in dry.stdout, f"--dry-run prints the script: {dry.stderr}")
    expect(not list(one.path.glob("occam.db*")), "--dry-run leaves nothing behind")
    script = one.write("job.sh", dry.stdout)
    tested = cluster.call("sbatch", "--test-only", script)
    expect(tested.returncode == 0, f"the script is one that sbatch takes: {tested.stderr}")
    for golden in sorted((pathlib.Path(__file__).resolve().parents[1] / "golden" / "slurm").glob("*.sh")):
        tested = cluster.call("sbatch", "--test-only", str(golden))
        expect(tested.returncode == 0, f"sbatch takes {golden.name}: {tested.stderr.strip()}")

    dry = submit(cluster, one, "--shards", "4", "--nodes", "2", "--cpus-per-task", "1", "--time", "10", "--dry-run")
    expect("occam merge" in dry.stderr and "/*-of-4.db" in dry.stderr and "#SBATCH --array=1-4%2\n" in dry.stdout,
           f"of an array --dry-run says what merges it: {dry.stderr}")
    long = Folder({**SMALL, "trial": {**SMALL["trial"], "steps": 10_000_000}})
    dry = submit(cluster, long, "--cpus-per-task", "2", "--time", "1:00:00", "--dry-run")
    expect("warning: that does not fit into 1:00:00; the job is requeued" in dry.stderr, f"what does not fit: {dry.stderr}")
    dry = submit(cluster, long, "--cpus-per-task", "2", "--time", "1:00:00", "--chain", "2", "--dry-run")
    expect("does not fit into 2 jobs of 1:00:00; submit again when it has ended, or give --chain" in dry.stderr,
           f"what does not fit into a chain: {dry.stderr}")
    gang = Folder({**SMALL, "trial": {**SMALL["trial"], "gpus": 2}})
    dry = submit(cluster, gang, "--nodes", "2", "--cpus-per-task", "1", "--time", "10", "--dry-run")
    expect("#SBATCH --nodes=2\n" in dry.stdout and "--array" not in dry.stdout and "srun --mpi=pmix" in dry.stdout,
           "a trial of more workers than a node has makes it one job")

    # By hand inside an allocation, and ranks of one node that were given a GPU each.
    hand = Sweep()
    said = cluster.call("salloc", "--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=1", "--gpus-per-node=2", "--time=10",
                        "srun", "--mpi=pmix", "--cpus-per-task=1", "--gpus-per-task=1", OCCAM, "run", hand.spec, "--db",
                        hand.db, "--worker", FAKE, "--device", "cuda",
                        env={**cluster.environment, "OCCAM_FAKE": str(hand.settings)})
    expect(said.returncode == 0 and hand.table() == undisturbed(), f"srun --mpi=pmix inside salloc: {said.stderr[-500:]}")
    places = hand.query("SELECT DISTINCT node, worker FROM attempt ORDER BY 1")
    expect(places == [(0, 0), (1, 0)], f"each rank uses the GPU that it was given: {places}")

    # GPUs of the allocation, and what a compute node says of itself.
    said = cluster.call("srun", "-n1", "--gpus-per-node=2", "--mpi=none", OCCAM, "doctor").stdout
    expect("2 GPUs (CUDA_VISIBLE_DEVICES=0,1)" in said, f"doctor sees the job's GPUs: {said}")
    expect("left" in said and "requeue" in said, "doctor knows the job's time")
    said = cluster.call(OCCAM, "doctor").stdout
    for words in ("22.05", "srun --mpi=pmix", "--shards up to 16 (MaxArraySize 17)", "allowed (JobRequeue=1)", "debug*"):
        expect(words in said, f"doctor says {words}: {said if words not in said else ''}")

    bare = cluster.folder / "bare"
    bare.mkdir()
    for program in ("sbatch", "srun", "sinfo"):
        (bare / program).symlink_to(shutil.which(program))
    said = cluster.call(OCCAM, "doctor", env={**cluster.environment, "PATH": str(bare)})
    expect(said.returncode == 0 and "scontrol is missing here: a job cannot requeue itself, so use --chain" in said.stdout,
           f"doctor without scontrol: {said.stdout} {said.stderr}")

    said = cluster.call(OCCAM, "doctor", env={**cluster.environment, "SLURM_CONF": "/nowhere/slurm.conf"})
    expect(said.returncode == 0 and "is installed and does not answer" in said.stdout,
           f"doctor where Slurm is not set up: {said.stdout} {said.stderr}")

    # Cancel: it stays cancelled.
    waiting = Folder()
    job = job_of(submit(cluster, waiting, *TWO_NODES, "--parsable", "--", "--begin=now+1hour"))
    said = cluster.call(OCCAM, "status", waiting.db).stdout
    expect(f"job {job}: PENDING (BeginTime), expected to start 20" in said, f"status of a job that waits: {said}")
    said = cluster.call(OCCAM, "cancel", waiting.db, "--job")
    expect(f"cancelled job {job}" in said.stdout, f"cancel --job: {said.stdout} {said.stderr}")
    expect(cluster.state(job)["JobState"] == "CANCELLED", "and so it is")

    # What cannot be submitted: one message, Slurm's words, nothing in the queue.
    def refused(what, words, *texts, folder=None, **options):
        folder = folder or Folder()
        before = cluster.call("squeue", "--noheader", "--format=%i").stdout
        result = submit(cluster, folder, *words, **options)
        after = cluster.call("squeue", "--noheader", "--format=%i").stdout
        expect(result.returncode in (1, 2) and result.stdout == "" and before == after,
               f"{what}: refused, nothing submitted ({result.returncode})")
        expect(all(text in result.stderr for text in texts), f"{what}: {result.stderr.strip()}")
        expect(not list(folder.path.glob("occam.db*")), f"{what}: leaves nothing behind")

    refused("unknown partition", [*TWO_NODES, "--", "--partition=nope"], "invalid partition specified: nope")
    refused("impossible request", ["--nodes", "9", "--shards", "0", "--cpus-per-task", "1", "--time", "10"],
            "Node count specification invalid")
    refused("too many cores", ["--cpus-per-task", "99", "--time", "10"], "CPU count per node can not be satisfied")
    refused("a gang that no node could start", ["--cpus-per-task", "1", "--time", "10"], "wants gpus 2",
            folder=Folder({**SMALL, "trial": {**SMALL["trial"], "gpus": 2}}))
    refused("parts too small for a gang", ["--shards", "2", "--cpus-per-task", "1", "--time", "10"], "wants gpus 2",
            "--shards 0", folder=Folder({**SMALL, "trial": {**SMALL["trial"], "gpus": 2}}))
    refused("--test-only", [*TWO_NODES, "--", "--test-only"], "gave the job no number", "to start at")
    nowhere = Folder()
    nowhere.db = nowhere.spec + "/occam.db"
    refused("a folder that cannot be", TWO_NODES, "spec.json/occam.db.slurm: cannot be created", folder=nowhere)
    percent = Folder()
    percent.db = "50%.db"
    refused("a name that Slurm would read as a pattern", TWO_NODES, "50%.db: Slurm would read", folder=percent)
    refused("--wait", [*TWO_NODES, "--", "--wait"], "would hold occam submit")
    refused("too many parts", ["--shards", "17", "--cpus-per-task", "1", "--time", "10"], "MaxArraySize")
    wrapper = cluster.folder / "wrapper"
    wrapper.mkdir()
    (wrapper / "sbatch").write_text("#!/bin/sh\n[ -e $0.used ] && echo sbatch: error: no more >&2 && exit 1\n"
                                    "touch $0.used; exec /usr/bin/sbatch \"$@\"\n")
    (wrapper / "sbatch").chmod(0o755)
    half = Folder()
    result = submit(cluster, half, *TWO_NODES, "--chain", "2",
                    env={**cluster.environment, "PATH": f"{wrapper}:{os.environ['PATH']}"})
    expect(result.returncode == 1 and "no more" in result.stderr and not list(half.path.glob("occam.db*")) and
           not cluster.call("squeue", "-h").stdout, f"half of a chain: all is taken back: {result.stderr}")
    refused("no sbatch", TWO_NODES, "sbatch: not found on the PATH", env={**cluster.environment, "PATH": "/nowhere"})
    refused("no time", ["--cpus-per-task", "1"], "--time is missing")
    refused("no cores", ["--time", "10"], "--cpus-per-task")
    broken = Folder()
    broken.spec = broken.write("broken.json", '{"name": "x", "tiral": {}}')
    refused("a spec that does not expand", TWO_NODES, "did you mean 'trial'", folder=broken)
    pathlib.Path(cluster.folder / "config" / "occam").mkdir()
    file = cluster.folder / "config" / "occam" / "slurm.json"
    file.write_text('{"setup": ["export SITE=1"],\n "modles": []}')
    refused("the user's file", TWO_NODES, "slurm.json:2", "did you mean 'modules'")
    file.write_text('{"setup": ["export SITE=1"], "sbatch": ["--comment=site"]}')
    dry = submit(cluster, Folder(), *TWO_NODES, "--dry-run").stdout
    expect("\nexport SITE=1\n" in dry and "#SBATCH --comment=site" in dry, "the user's file is in the script")
finish()
