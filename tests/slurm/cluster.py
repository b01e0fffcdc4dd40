"""A real Slurm on this machine for the tests: munged, slurmctld and two slurmd, in a temporary folder and on
free ports. All that is started is ended, by process id.

Where it cannot run (not root, or Slurm's packages are missing) the test is skipped with a message.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def missing():
    """Why there can be no Slurm here, or an empty text."""
    if os.getuid() != 0:
        return "only root can start slurmd"
    if not os.path.isdir("/sys/fs/cgroup"):
        return "no /sys/fs/cgroup, which slurmd wants"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    programs = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun") if not shutil.which(name)]
    return f"not installed: {', '.join(programs)} (packages slurmctld slurmd slurm-client munge)" if programs else ""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def end_with_the_test():
    """Even where the test is killed."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Cluster:
    """Two nodes, n1 and n2, of 64 CPUs and eight GPUs each, none of which needs to be there."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="occam-slurm-"))
        self.folder.chmod(0o755)
        self.processes = {}
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"),
                            "XDG_CONFIG_HOME": str(self.folder / "config")}
        for name in [name for name in self.environment if name.startswith(("SBATCH_", "SLURM_JOB"))]:
            del self.environment[name]

    def __enter__(self):
        why = missing()
        if why:
            print(f"skipped: no Slurm to test with: {why}")
            self._remove()
            sys.exit(SKIPPED)
        try:
            self._write()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.call("scancel", "--user", "root", "--full", "--signal=KILL")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.call("squeue", "-h", "-o", "%i").stdout.strip():
            self.call("scancel", "--user", "root")
            time.sleep(0.3)
        steps = self.steps()
        for name in ("n1", "n2", "slurmctld", "munged"):
            process = self.processes.get(name)
            if process and process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in steps:  # slurmstepd lives on without its slurmd
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._remove()

    def _remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self):
        controller, first, second = free_ports(3)
        folder = self.folder
        for name in ("state", "spool-n1", "spool-n2", "tmp-n1", "tmp-n2", "log", "munge", "config"):
            (folder / name).mkdir()
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        for number in range(8):
            (folder / f"gpu{number}").symlink_to("/dev/null")  # Slurm wants a device
        (folder / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu File={folder}/gpu[0-7]\n")
        (folder / "slurm.conf").write_text(f"""
ClusterName=occam
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd-%n
TmpFS={folder}/tmp-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000,batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=300
KillWait=10
MinJobAge=300
MaxArraySize=17
JobRequeue=1
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={first} CPUs=64 RealMemory=4000 Gres=gpu:8
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={second} CPUs=64 RealMemory=4000 Gres=gpu:8
PartitionName=debug Nodes=n[1-2] Default=YES MaxTime=2-0 State=UP PriorityTier=1 PreemptMode=REQUEUE OverSubscribe=NO
PartitionName=gpu Nodes=n[1-2] MaxTime=2-0 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=n[1-2] MaxTime=2-0 State=UP PriorityTier=10 PreemptMode=OFF OverSubscribe=NO
""")

    def _start(self):
        munge = self.folder / "munge"
        self._spawn("munged", "munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
                    f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        self._wait("munged", lambda: (munge / "socket").exists())
        self._spawn("slurmctld", "slurmctld", "-D", "-c")
        for node in ("n1", "n2"):
            self._spawn(node, "slurmd", "-D", "-N", node)
        self._wait("slurmctld and slurmd", self.is_idle)

    def is_idle(self):
        return self.call("sinfo", "-h", "-N", "-p", "debug", "-o", "%N %T").stdout.split("\n")[:2] == ["n1 idle", "n2 idle"]

    def _spawn(self, name, *command):
        with open(self.folder / f"{name}.out", "wb") as out:
            self.processes[name] = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                                    env=self.environment, start_new_session=True,
                                                    preexec_fn=end_with_the_test)

    def _wait(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                for file in [*self.folder.glob("*.out"), *self.folder.glob("log/*")]:
                    print(f"== {file.name}\n{file.read_text(errors='replace')[-2000:]}")
                raise RuntimeError(f"{what} did not start" + (f"; {dead} ended" if dead else ""))
            time.sleep(0.1)

    def steps(self, node=""):
        """Process ids of the slurmstepd of this cluster's jobs, or of those on one node."""
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "comm").read_text().strip() != "slurmstepd":
                    continue
                # Its title has overwritten its environment; its log tells whose it is.
                logs = {str(self.folder / "log" / f"slurmd-{one}") for one in ([node] if node else ("n1", "n2"))}
                if logs & {os.readlink(file) for file in (folder / "fd").iterdir()}:
                    found.append(int(folder.name))
            except OSError:
                pass
        return found

    def call(self, *command, **options):
        options.setdefault("env", self.environment)
        return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)

    def state(self, job):
        """What scontrol says of a job: JobState, Reason, Restarts and all else, as a dictionary of words."""
        shown = self.call("scontrol", "-o", "show", "job", str(job)).stdout
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def wait_for(self, job, states, seconds=300):
        """Until the job is in one of the states; returns it. A requeued job is held up for two seconds and not for Slurm's
        two minutes, which outlast what is left of its last turn."""
        deadline = time.monotonic() + seconds
        while True:
            facts = self.state(job)
            now = facts.get("JobState", "")
            if now in states:
                return now
            if now == "PENDING" and facts.get("Reason") == "BeginTime":
                time.sleep(2)
                self.call("scontrol", "update", f"jobid={job}", "StartTime=now")
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is {now} and not {states} after {seconds} s")
            time.sleep(0.1)
