"""A sweep on gangs of two workers, on one node and over two, gives the table of the sweep on single workers; a member
that is killed or stopped costs one attempt."""

import os
import shutil
import signal
import time

from sweeps import PROGRAMS, SMALL, Folder, children, count, expect, finish, kill, run, start, wait_until

MPIRUN = ["mpirun", "--oversubscribe", "-n", "2"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1"}
# At a rate at which a rounding does not grow out of sight: at 0.05 it is a change of the AUROC's first digit after six
# steps, and which one differs from processor to processor.
ALONE = {**SMALL, "trial": {**SMALL["trial"], "learning_rate": 1e-6}}
TOGETHER = {**ALONE, "trial": {**ALONE["trial"], "gpus": 2}}


def compare(what, folder, alone):
    ours, theirs = folder.evaluations(), alone.evaluations()
    expect([one[:5] for one in ours] == [one[:5] for one in theirs], f"{what}: the same trials and scores")
    farthest = max((abs(a[5] - b[5]) for a, b in zip(ours, theirs)), default=1)
    expect(farthest <= 1e-3, f"{what}: AUROC within 1e-3 ({farthest:.1e} at most)")


alone = Folder(ALONE)
expect(run(alone.command("--workers", "2")).returncode == 0, "single workers end with 0")

together = Folder(TOGETHER)
result = run(together.command("--workers", "2"))
expect(result.returncode == 0, f"gangs of two end with 0 ({result.stderr[-500:]})")
expect(count(together.db, "attempt WHERE device = '2 x cpu'") == count(together.db, "attempt"), "all attempts were gangs'")
compare("gangs of two", together, alone)

if shutil.which("mpirun") and (PROGRAMS / "occam-mpi.so").exists():
    nodes = Folder(TOGETHER)
    result = run(MPIRUN + nodes.command("--workers", "2"), env=ENVIRONMENT)
    expect(result.returncode == 0, f"a gang over two nodes ends with 0 ({result.stderr[-500:]})")
    compare("a gang over two nodes", nodes, alone)

# A longer training, whose members die in turn.
LONG = {**SMALL, "trial": {**SMALL["trial"], "steps": 60},
        "grid": {"loss": ["contrastive"], "batch_size": [16], "class": [0]}}
LONG["trial"]["gpus"] = 2
undisturbed = Folder(LONG)
expect(run(undisturbed.command("--workers", "2")).returncode == 0, "undisturbed, it ends with 0")
for number, name in ((signal.SIGKILL, "killed"), (signal.SIGSTOP, "stopped")):
    for member in (0, 1):
        folder = Folder(LONG)
        sweep = start(folder.command("--workers", "2", "--silence", "6"))
        wait_until(lambda: count(folder.db, "attempt WHERE state = 'running'") >= 1)
        time.sleep(1.5)
        victims = children(sweep.pid)
        began = time.monotonic()
        kill(victims[member], number)
        # Lost where a busy machine had not brought the gang together yet.
        wait_until(lambda: count(folder.db, "attempt WHERE state IN ('failed', 'lost')") == 1)
        took = time.monotonic() - began
        expect(took <= 6 + 4, f"worker {member} {name}: its gang ends in {took:.1f} s")
        output, _ = sweep.communicate(timeout=120)
        expect(sweep.returncode == 0, f"  the retry completes ({output[-500:]})")
        expect(folder.evaluations() == undisturbed.evaluations(), "  and brings the same bits as an undisturbed gang")
for member in (0, 1):
    folder = Folder(LONG)
    sweep = start(folder.command("--workers", "2"))
    wait_until(lambda: count(folder.db, "attempt WHERE state = 'running'") >= 1)
    time.sleep(1)
    victim = children(sweep.pid)[member]
    kill(victim, signal.SIGSTOP)
    time.sleep(3)
    kill(victim, signal.SIGCONT)
    output, _ = sweep.communicate(timeout=120)
    expect(sweep.returncode == 0 and count(folder.db, "attempt") == 1,
           f"a pause of worker {member} that --silence lets pass costs no attempt ({output[-500:]})")
finish()
