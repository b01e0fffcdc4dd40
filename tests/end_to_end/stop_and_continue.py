"""SIGINT, SIGTERM and SIGUSR1 checkpoint and exit 75; the same command goes on and gives the same table."""

import signal

from sweeps import SMALL, Folder, done_trials, expect, finish, kill, run, running_attempts, start, wait_until

# Long enough trials that a signal meets them in training.
spec = {**SMALL, "trial": {**SMALL["trial"], "steps": 40},
        "grid": {"loss": ["contrastive", "rotation"], "batch_size": [16], "class": [0]}}
undisturbed = Folder(spec)
expect(run(undisturbed.command("--workers", "1")).returncode == 0, "undisturbed, it ends with 0")

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    folder = Folder(spec)
    sweep = start(folder.command("--workers", "1"))
    wait_until(lambda: running_attempts(folder.db) >= 1)
    try:
        sweep.wait(timeout=2)  # into the training
    except Exception:
        pass
    kill(sweep.pid, number)
    output, _ = sweep.communicate(timeout=120)
    expect(sweep.returncode == 75, f"{number.name}: exit code 75, not {sweep.returncode} ({output[-300:]})")
    expect(done_trials(folder.db) < 2, f"{number.name}: there is work left")
    checkpoints = list(folder.path.glob("occam.db.work/*/*.ckpt"))
    expect(len(checkpoints) == 1, f"{number.name}: one checkpoint of the trial that ran")
    result = run(folder.command("--workers", "1"))
    expect(result.returncode == 0, f"{number.name}: run again, it ends with 0")
    expect(folder.table() == undisturbed.table(), f"{number.name}: the same table, byte for byte")
    expect(not (folder.path / "occam.db.work").exists(), f"{number.name}: no checkpoint is left")

folder = Folder(spec)
sweep = start(folder.command("--workers", "1"))
wait_until(lambda: running_attempts(folder.db) >= 1)
second = run(folder.command())
expect(second.returncode == 1 and "writes it" in second.stderr, f"a second coordinator is kept out: {second.stderr}")
kill(sweep.pid, signal.SIGINT)
kill(sweep.pid, signal.SIGINT)
sweep.communicate(timeout=60)
expect(sweep.returncode == 75, f"SIGINT twice at once, as `timeout` sends it, is one: {sweep.returncode}")
finish()
