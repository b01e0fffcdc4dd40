"""Jobs on a real Slurm that are requeued, warned, preempted, out of time, cancelled, or lose a process: each sweep
ends complete, nothing is lost or recorded twice, and what is repeated is at most one checkpoint interval. Workers
are fakes whose scores are made of every step (tests/faults)."""

import os
import pathlib
import signal
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "faults")]
from cluster import Cluster  # noqa: E402
from fakes import FAKE, OCCAM, SPEC, Sweep, expect, finish, problems, undisturbed  # noqa: E402

STEP = 0.1  # seconds
INTERVAL = 3 * STEP  # between checkpoints
LONG = 100  # steps of trials that do not fit into a minute
SLACK = 1.5  # seconds: a kill is not at once
FINAL = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL")


class Job:
    """A sweep submitted to the cluster."""

    def __init__(self, cluster, name, *words, steps=None, workers=4, **settings):
        self.cluster, self.name, self.words, self.workers = cluster, name, words, str(workers)
        spec = {**SPEC, "trial": {**SPEC["trial"], "steps": steps or 12}}
        self.sweep = Sweep(spec, step_ms=int(1000 * STEP), stop_ms=int(1000 * STEP), **settings)
        self.id = self.submit()

    def submit(self, *words):
        made = self.cluster.call(
            OCCAM, "submit", self.sweep.spec, "--db", self.sweep.db, "--worker", FAKE, "--device", "cpu", "--workers", self.workers,
            "--cpus-per-task", "1", "--parsable", *(words or self.words),
            env={**self.cluster.environment, "OCCAM_FAKE": str(self.sweep.settings)})
        self.expect(made.returncode == 0, f"is submitted {made.stderr}")
        return made.stdout.split()[0]

    def expect(self, condition, what):
        expect(condition, f"{self.name}: {what}")

    def log(self):
        return "\n".join(file.read_text() for file in self.sweep.path.glob("occam.db.slurm-*.log"))

    def wait_until(self, condition, seconds=300):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: waited too long: {self.cluster.state(self.id)} {self.log()[-2000:]}")
            time.sleep(0.05)

    def into_it(self):
        """Some trials are done and some are half way."""
        self.wait_until(lambda: self.sweep.count("outcome") >= 3)
        self.wait_until(self.checkpoints)

    def checkpoints(self):
        try:
            return list(self.sweep.path.glob("occam.db.work/*/*.ckpt"))
        except FileNotFoundError:  # a trial ended meanwhile, and its folder went
            return []

    def wait(self, *states, seconds=300):
        return self.cluster.wait_for(self.id, states or FINAL, seconds)

    def completes(self, table, broken_at=None):
        state = self.wait()
        self.expect(state == "COMPLETED", f"ends complete: {state} {self.log()[-1500:] if state != 'COMPLETED' else ''}")
        found = problems(self.sweep, table)
        self.expect(not found, f"nothing lost, nothing twice, the same table {found or ''}")
        repeated = self.repeated(broken_at)
        self.expect(repeated <= INTERVAL + SLACK, f"repeats {repeated:.2f} s at most, with {INTERVAL:.1f} s between checkpoints")

    def repeated(self, broken_at):
        """The most seconds of training that a trial's next attempt did again, of `attempt`: from the checkpoint that it
        went on from (or its start) to the end of the one before; of one that was killed, to the time of that."""
        rows = self.sweep.query(
            "SELECT a.state, 86400 * (julianday(a.ended_at) - 2440587.5), coalesce(86400 * (julianday(b.continued_at) - 2440587.5),"
            " 86400 * (julianday(a.started_at) - 2440587.5)) FROM attempt a JOIN attempt b ON b.trial = a.trial AND"
            " b.number = a.number + 1")
        self.expect(rows, "interrupted some trial")
        return max(0, *((min(ended, broken_at or ended) if state != "stopped" else ended) - since
                   for state, ended, since in rows))

    def processes(self, *words):
        """Ids of this sweep's processes whose command line begins so."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if line[:len(words)] == list(words) and self.sweep.spec in line:
                found.append(int(folder.name))
        return found


def requeued_by_hand(cluster, table):
    job = Job(cluster, "scontrol requeue", "--time", "10")
    job.into_it()
    at = time.time()
    cluster.call("scontrol", "requeue", job.id)
    job.wait("PENDING")
    job.completes(table, at)
    counts = job.sweep.query("SELECT DISTINCT restart_count FROM attempt ORDER BY 1")
    job.expect(counts == [(0,), (1,)], f"attempts say how often it was requeued: {counts}")


def warned(cluster, table):
    job = Job(cluster, "scancel --batch --signal=USR1", "--time", "10")
    job.into_it()
    cluster.call("scancel", "--batch", "--signal=USR1", job.id)
    job.wait("PENDING")
    job.completes(table)
    job.expect("requeueing" in job.log(), "requeued itself")
    states = job.sweep.query("SELECT count(*) FROM attempt WHERE state = 'stopped'")
    job.expect(states[0][0] > 0, "its trials were stopped with a checkpoint")


def warned_with_scratch(cluster, table):
    disk = cluster.folder / "disk"
    disk.mkdir()
    job = Job(cluster, "checkpoints on the node's own disk", "--time", "10", "--scratch", str(disk),
              "--checkpoint-every", "0.5")
    job.into_it()
    cluster.call("scancel", "--batch", "--signal=USR1", job.id)
    job.wait("PENDING")
    job.expect(job.checkpoints(), "copied back")
    job.completes(table)
    job.expect(not list(disk.iterdir()), "and nothing is left there")


def warned_step(cluster, table):
    job = Job(cluster, "scancel --signal=USR1", "--time", "10")
    job.into_it()
    cluster.call("scancel", "--signal=USR1", job.id)
    job.completes(table)
    job.expect(job.sweep.count("attempt WHERE state = 'stopped'") > 0, "its trials were stopped with a checkpoint")
    job.expect("goes on from what is recorded" in job.log() and job.sweep.count("attempt WHERE restart_count > 0") == 0,
               "of the steps alone: goes on inside its allocation")


def out_of_time(cluster, table):
    # Slurm looks at limits every half minute, and warns up to a minute early.
    job = Job(cluster, "time limit", "--time", "1", "--warn-before", "40", "--checkpoint-every", "1",
              steps=LONG, workers=8)
    job.wait("RUNNING")
    began = time.monotonic()
    job.wait("PENDING")
    ran = time.monotonic() - began
    job.completes(table(LONG))
    job.expect("requeueing" in job.log(), f"requeued itself before its limit, {ran:.0f} s after its start")


def cancelled_with_scratch(cluster, table):
    disk = cluster.folder / "disk-of-cancelled"
    disk.mkdir()
    job = cancelled(cluster, table, "scancel, checkpoints on the node's own disk", "--scratch", str(disk),
                    "--checkpoint-every", "0.5")
    job.expect(job.sweep.count("attempt WHERE continued IS NOT NULL") > 0, "what the last copy brought was continued")
    job.expect(not list(disk.iterdir()), "and nothing is left there")


def cancelled(cluster, table, name="scancel", *words):
    job = Job(cluster, name, "--time", "10", *words)
    job.into_it()
    cluster.call("scancel", job.id)
    job.expect(job.wait() == "CANCELLED", "is cancelled")
    time.sleep(3)
    job.expect(cluster.state(job.id)["JobState"] == "CANCELLED", "and stays so")
    job.expect(job.sweep.count("attempt WHERE state = 'running'") == 0 and
               job.sweep.count("attempt WHERE state = 'stopped'") > 0, "its trials were stopped with a checkpoint")
    job.id = job.submit()
    job.completes(table)
    return job


def loses_coordinator(cluster, table):
    job = Job(cluster, "kill -9 of the coordinator", "--time", "10")
    job.into_it()
    at = time.time()
    killed = job.processes(OCCAM, "run")
    job.expect(len(killed) == 1, f"has one rank: {killed}")
    os.kill(killed[0], signal.SIGKILL)
    job.completes(table, at)
    job.expect("goes on from what is recorded" in job.log(), "goes on inside its allocation")


def loses_step(cluster, table):
    job = Job(cluster, "kill -9 of a node's step", "--time", "10", "--nodes", "2", "--shards", "0", "--silence", "2")
    job.into_it()
    at = time.time()
    stepds = [pid for pid in cluster.steps("n2") if f"[{job.id}.0]" in
              pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
    job.expect(len(stepds) == 1, f"has one slurmstepd on n2: {stepds}")
    os.kill(stepds[0], signal.SIGKILL)
    job.completes(table, at)
    job.expect("counts as lost" in job.log() and job.sweep.count("attempt WHERE state = 'interrupted'") > 0,
               "notices that a node is silent, and goes on inside its allocation")


def preempted(cluster, table):
    job = Job(cluster, "preemption", "--time", "10", "--", "--exclusive", "--nodelist=n1")
    job.into_it()
    at = time.time()
    urgent = cluster.call("sbatch", "--parsable", "--partition=urgent", "--exclusive", "--nodelist=n1", "--time=1",
                          "--output=/dev/null", "--wrap=sleep 2").stdout.strip()
    job.wait("PENDING")
    job.expect("requeueing" not in job.log(), "Slurm requeues it, not its script")
    cluster.wait_for(urgent, FINAL)
    job.completes(table, at)
    job.expect(job.sweep.count("attempt WHERE state = 'stopped'") > 0, "its trials were stopped with a checkpoint")


tables = {}


def table(steps=12):
    return tables[steps]


for steps in (12, LONG):
    tables[steps] = undisturbed({**SPEC, "trial": {**SPEC["trial"], "steps": steps}})

with Cluster() as cluster:
    def attempt(case):
        try:
            case(cluster, table if case is out_of_time else table())
        except Exception as problem:  # a thread's end would go unseen
            expect(False, f"{case.__name__}: {problem!r}")

    cases = [requeued_by_hand, warned, warned_with_scratch, warned_step, out_of_time, cancelled, cancelled_with_scratch, loses_coordinator, loses_step]
    if len(sys.argv) > 2:
        cases = [case for case in cases if case.__name__ in sys.argv[2:]]
    threads = [threading.Thread(target=attempt, args=(case,)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(sys.argv) <= 2 or "preempted" in sys.argv[2:]:
        attempt(preempted)  # which takes a node for itself
finish()
