"""The images a second that occam run shows are those of all trials in training together, as far as the terminal has
room for them."""

import fcntl
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from sweeps import Folder, expect, finish

WORKER = f"""#!{sys.executable}
import json, sys
def say(type, **members):
    print(json.dumps({{"type": type, **members}}), flush=True)
say("ready", device="cpu", slots=2, build="two-slots")
speeds, running = {{0: 100, 1: 150}}, []
for message in map(json.loads, sys.stdin):
    if message["type"] == "start":
        running.append({{"trial": message["trial"], "lease": message["lease"], "phase": "training", "count": 1}})
        say("alive", slots=running)
        say("progress", trial=message["trial"], lease=message["lease"], epoch=1, of=9, loss=1, accuracy=0,
            learning_rate=0.1, images_per_second=speeds[message["config"]["class"]])
    if message["type"] in ("stop", "exit"):
        break
"""

folder = Folder({"name": "speeds", "trial": {"dataset": "synthetic", "epochs": 9}, "grid": {"class": [0, 1]},
                 "evaluate": {"features": ["pool"], "classifiers": ["kde"]}})
worker = pathlib.Path(folder.write("worker", WORKER))
worker.chmod(0o755)
screen, end = pty.openpty()
sweep = subprocess.Popen(folder.command("--worker", str(worker), "--workers", "1"), stdout=end, stderr=end)
os.close(end)


def read_until(pattern):
    text, until = "", time.monotonic() + 60
    while time.monotonic() < until and sweep.poll() is None and not re.search(pattern, text):
        if select.select([screen], [], [], 1)[0]:
            text += os.read(screen, 4096).decode(errors="replace")
    return text


shown = read_until("250 images/s")
fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 24, 0, 0))
narrow = read_until("trials · 2 running\r")
sweep.kill()
sweep.wait()
expect("250 images/s" in shown, f"two trials of 100 and 150: shown were {sorted(set(re.findall('[0-9]+ images/s', shown))) or shown}")
expect("0/2 trials · 2 running\r" in narrow, f"24 columns have no room for more: {narrow!r}")
finish()
