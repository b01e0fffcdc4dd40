"""Under mpirun the same spec gives the same rows and table; a bad spec ends all ranks with its message; a
stopped sweep continues."""

import os
import signal
import time

from sweeps import OCCAM, SMALL, Folder, expect, finish, kill, run, running_attempts, start, wait_until

MPIRUN = ["mpirun", "--oversubscribe", "-n", "3"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1"}

alone = Folder()
expect(run(alone.command("--workers", "2")).returncode == 0, "one process ends with 0")

ranks = Folder()
result = run(MPIRUN + ranks.command("--workers", "3"), env=ENVIRONMENT)
expect(result.returncode == 0, f"three ranks end with 0 ({result.stderr[-500:]})")
expect(ranks.evaluations() == alone.evaluations(), "three ranks: the same evaluation rows")
expect(ranks.table() == alone.table(), "three ranks: the same table, byte for byte")

broken = Folder()
broken.spec = broken.write("broken.json", '{"name": "x", "tiral": {}}')
began = time.monotonic()
result = run(MPIRUN + broken.command(), env=ENVIRONMENT)
expect(result.returncode == 2, f"a bad spec under mpirun: exit code 2, not {result.returncode}")
expect("did you mean 'trial'" in result.stderr, "a bad spec under mpirun: its message")
expect(result.stderr.count("tiral") == 1, "a bad spec under mpirun: the message once")

spec = {**SMALL, "trial": {**SMALL["trial"], "steps": 40},
        "grid": {"loss": ["contrastive", "rotation"], "batch_size": [16], "class": [0]}}
undisturbed = Folder(spec)
expect(run(undisturbed.command("--workers", "1")).returncode == 0, "undisturbed, it ends with 0")
folder = Folder(spec)
sweep = start(MPIRUN[:-1] + ["1"] + folder.command("--workers", "1"), env=ENVIRONMENT)
wait_until(lambda: running_attempts(folder.db) >= 1)
time.sleep(2)
kill(sweep.pid, signal.SIGUSR1)
output, _ = sweep.communicate(timeout=120)
expect(sweep.returncode == 75, f"SIGUSR1 to mpirun: exit code 75, not {sweep.returncode} ({output[-500:]})")
result = run(MPIRUN + folder.command("--workers", "2"), env=ENVIRONMENT)
expect(result.returncode == 0, "run again, it ends with 0")
expect(folder.table() == undisturbed.table(), "the same table, byte for byte")
finish()
