"""Two real workers train one trial: the scores of one worker; told to leave, both are of use for the next.

Usage: gang_of_workers.py FOLDER-OF-PROGRAMS
"""
import json
import os
import subprocess
import sys
import tempfile

programs = sys.argv[1]
TRIAL = {
    "dataset": "synthetic", "class": 0, "seed": 1, "loss": "rotation", "depth": 10, "width": 0.125, "head_layers": 1,
    "learning_rate": 1e-6, "batch_size": 8, "train_limit": 32,
}  # fmt: skip


class Worker:
    def __init__(self):
        self.process = subprocess.Popen(
            [f"{programs}/occam-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.hear("ready")

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self, *types):
        """The next message of one of these types."""
        for line in self.process.stdout:
            message = json.loads(line)
            if message["type"] in types:
                return message
        raise SystemExit(f"a worker ended before it said {types}")

    def start(self, folder, lease, gang=None, **trial):
        message = {
            "type": "start", "trial": "0123456789abcdef", "config": TRIAL | trial, "lease": lease, "resumable": [],
            "evaluations": [{"features": "pool", "classifier": "kde", "test_limit": 200}],
            "folder": os.path.join(folder, "checkpoints"),
        }  # fmt: skip
        self.say(message | ({"gang": gang} if gang else {}))


def gang(workers, folder, lease, **trial):
    size = len(workers)
    workers[0].start(folder, lease, {"rank": 0, "size": size, "ticket": ""}, **trial)
    ticket = workers[0].hear("ticket", "outcome", "left")
    assert ticket["type"] == "ticket" and ticket["lease"] == lease, ticket
    for rank, worker in enumerate(workers[1:], 1):
        worker.start(folder, lease, {"rank": rank, "size": size, "ticket": ticket["ticket"]}, **trial)


def end(message):
    assert message["type"] == "outcome" and message["status"] == "completed", message
    return message["evaluations"][0]["auroc"]


with tempfile.TemporaryDirectory() as folder:
    workers = [Worker(), Worker()]
    first, second = workers
    first.start(folder, 1, epochs=4)
    alone = end(first.hear("outcome"))

    gang(workers, folder, 2, epochs=4)
    left = second.hear("left", "outcome")
    assert left["type"] == "left" and left["reason"] == "", left
    together = end(first.hear("outcome", "left"))
    assert abs(alone - together) < 1e-3, (alone, together)

    # A long training, of which the second is told to leave.
    gang(workers, folder, 3, epochs=4000)
    first.hear("progress")
    second.say({"type": "leave", "trial": "0123456789abcdef", "lease": 3})
    for worker in workers:
        message = worker.hear("left", "outcome")
        assert message["type"] == "left" and "asked to leave" in message["reason"], message

    # Killed in the middle; the first is told so by whoever started both.
    gang(workers, folder, 4, epochs=4000)
    first.hear("progress")
    second.process.kill()
    first.say({"type": "leave", "trial": "0123456789abcdef", "lease": 4})
    message = first.hear("left", "outcome")
    assert message["type"] == "left" and message["reason"], message

    first.start(folder, 5, epochs=4)
    assert end(first.hear("outcome")) == alone
    for worker in workers:
        worker.process.kill()
    print(f"alone {alone:.4f}, together {together:.4f}")
