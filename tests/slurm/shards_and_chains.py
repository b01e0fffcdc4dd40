"""Arrays of parts and chains of jobs on a real Slurm: the table of one local run. A part that is killed is submitted
again alone; jobs of a chain that nothing is left for end within a second."""

import json
import pathlib
import resource
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "end_to_end"),
                str(pathlib.Path(__file__).resolve().parents[1] / "faults")]
from cluster import Cluster  # noqa: E402
from fakes import FAKE, SPEC, Sweep, undisturbed  # noqa: E402
from sweeps import OCCAM, Folder, count, expect, finish, run, wait_until  # noqa: E402

FINAL = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED")


def submit(cluster, spec, db, *words, env=None):
    made = cluster.call(OCCAM, "submit", spec, "--db", db, "--device", "cpu", "--cpus-per-task", "1", *words,
                        env={**cluster.environment, **(env or {})})
    return made


def table(db):
    return run([OCCAM, "table", db, "--format", "csv"]).stdout


with Cluster() as cluster:
    # A chain whose first two jobs run out of time, beside everything else.
    long_spec = {**SPEC, "trial": {**SPEC["trial"], "steps": 200}}
    chain = Sweep(long_spec, step_ms=100)
    made = submit(cluster, chain.spec, chain.db, "--time", "1", "--warn-before", "40", "--checkpoint-every", "1", "--chain", "4", "--worker", FAKE,
                  "--workers", "10", "--parsable", env={"OCCAM_FAKE": str(chain.settings)})
    links = made.stdout.split()
    expect(len(links) == 4, f"a chain of four jobs: {links} {made.stderr}")
    expect(cluster.state(links[1])["Dependency"].startswith(f"afterany:{links[0]}"), "each after the one before")

    # Four parts of a real sweep, one of which is killed.
    local, parts = Folder(), Folder()
    made = submit(cluster, parts.spec, parts.db, "--shards", "4", "--time", "10")
    expect(made.returncode == 0 and "4 of 4 parts" in made.stdout and "merges the parts" in made.stdout,
           f"four parts are submitted: {made.stdout} {made.stderr}")
    array = made.stdout.split()[1].rstrip(":")
    wait_until(lambda: cluster.state(f"{array}_2").get("JobState") == "RUNNING")
    time.sleep(1)
    cluster.call("scancel", "--full", "--signal=KILL", f"{array}_2")
    expect(run(local.command("--workers", "1")).returncode == 0, "the local run ends with 0")
    states = [cluster.wait_for(f"{array}_{part}", FINAL) for part in (1, 2, 3, 4)]
    expect([state == "COMPLETED" for state in states] == [True, False, True, True], f"one part is lost: {states}")
    merge = str(int(array) + 1)
    expect(cluster.wait_for(merge, FINAL) == "COMPLETED", "the others are merged")
    done = parts.outcomes()
    expect(0 < done < 8, f"{done} of 8 trials are there")

    made = submit(cluster, parts.spec, parts.db, "--shards", "4", "--time", "10")
    expect("1 of 4 parts" in made.stdout, f"submitted again, the lost part goes alone: {made.stdout} {made.stderr}")
    expect("--array=2\n" in (pathlib.Path(parts.db + ".slurm") / "job.sh").read_text(), "the second")
    again = made.stdout.split()[1].rstrip(":")
    refused = submit(cluster, parts.spec, parts.db, "--shards", "4", "--time", "10")
    expect(refused.returncode == 1 and "is being worked on" in refused.stderr, "and once")
    said = cluster.call(OCCAM, "status", parts.db).stdout
    expect(f"job {again}_2" in said and "part 1: 2 trials done" in said, f"status knows the parts: {said}")
    expect(cluster.wait_for(str(int(again) + 1), FINAL) == "COMPLETED", "and it is merged")
    expect(table(parts.db) == local.table() and len(local.table()) > 100, "four parts: the local table, byte for byte")
    expect(parts.evaluations() == local.evaluations(), "four parts: the same evaluation rows")
    jobs = dict(parts.query("SELECT job, count(DISTINCT trial) FROM attempt WHERE state = 'completed' GROUP BY job"))
    expect(set(jobs) == {f"{array}_1", f"{again}_2", f"{array}_3", f"{array}_4"} and set(jobs.values()) == {2},
           f"attempts name their part: {jobs}")
    idle = submit(cluster, parts.spec, parts.db, "--shards", "4", "--time", "10")
    expect(idle.returncode == 0 and "nothing was submitted" in idle.stderr, "a finished sweep is not submitted")

    # Trials that the database has already are in no part; the merge waits for a part that is requeued.
    grown = Sweep(SPEC)
    first = grown.run("--limit", "20")
    expect(first.returncode == 75 or grown.count("outcome") == 20, "a pilot of 20 trials")
    slow = grown.path / "slow.json"
    slow.write_text(json.dumps({"marks": str(grown.marks), "checkpoint_steps": 3, "step_ms": 100}))
    made = submit(cluster, grown.spec, grown.db, "--shards", "2", "--time", "10", "--worker", FAKE, "--parsable",
                  env={"OCCAM_FAKE": str(slow)})
    part = made.stdout.split()[0] + "_1"
    wait_until(lambda: count(grown.db + ".shards/1-of-2.db", "outcome") >= 2)
    cluster.call("scancel", "--batch", "--signal=USR1", part)
    cluster.wait_for(part, ("PENDING",))
    expect(cluster.wait_for(part, FINAL) == "COMPLETED", "a part that is warned is requeued")
    expect(cluster.wait_for(made.stdout.split()[1], FINAL) == "COMPLETED", "the rest in two parts")
    expect(grown.count("outcome") == 32 and grown.table() == undisturbed(), "adds the other 12, and the table is the same")
    expect(grown.count("attempt WHERE restart_count = 1") > 0, "the requeued part says so in its attempts")

    # What is forgotten is trained again by the part that has it.
    forgotten = grown.occam("forget", grown.db, "--where", "batch_size=8", "--where", "seed=1")
    expect("4 outcomes retired" in forgotten.stdout, f"forgotten: {forgotten.stdout} {forgotten.stderr}")
    made = submit(cluster, grown.spec, grown.db, "--shards", "2", "--time", "10", "--worker", FAKE, "--parsable",
                  env={"OCCAM_FAKE": str(grown.settings)})
    expect(cluster.wait_for(made.stdout.split()[-1], FINAL) == "COMPLETED" and
           grown.count("outcome WHERE retired_at IS NULL") == 32 and grown.table() == undisturbed(),
           f"and trained again: {made.stdout} {made.stderr}")

    # The chain.
    states = [cluster.wait_for(link, FINAL) for link in links]
    codes = [cluster.state(link)["ExitCode"] for link in links]
    expect(codes[:2] == ["75:0", "75:0"] and states[2] == "COMPLETED", f"two run out of time, the third ends: {states} {codes}")
    log = pathlib.Path(f"{chain.db}.slurm-{links[3]}.log").read_text()
    expect(states[3] == "COMPLETED" and "0 to run" in log, f"nothing is left for the fourth: {log}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = chain.run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    expect(again.returncode == 0 and used < 1, f"which takes {used:.2f} s of a processor")
    expect(chain.table() == undisturbed(long_spec), "the chain: the table of an undisturbed run")
    repeated = chain.query("SELECT max(86400 * (julianday(a.ended_at) - julianday(b.continued_at))) FROM attempt a JOIN"
                           " attempt b ON b.continued = a.lease")[0][0]
    expect(repeated is not None and repeated < 1, f"and repeats {repeated} s at most")
finish()
