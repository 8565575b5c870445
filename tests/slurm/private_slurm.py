"""A private SLURM on this machine: a controller, two virtual nodes with two GPUs each that are none, munge."""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol", "squeue", "mpirun")
NODES, CPUS, GPUS = ("n1", "n2"), 4, 2

# Without systemd, accounting and cgroups. A requeued job may start cred_expire seconds (5 at least) after it ended. The partition 'urgent'
# preempts: jobs of the other one get GraceTime seconds, then KillWait, and are requeued.
CONFIGURATION = """
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=4
MpiDefault=none
GresTypes=gpu
{nodes}
PartitionName=normal Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL PriorityTier=2
"""


def why_not():
    """What keeps a private SLURM from running on this machine, or nothing."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        return f"needs {', '.join(missing)}: launch/setup.sh installs them where it has root and apt-get"
    if os.geteuid() != 0:
        return "needs root: SLURM's daemons start jobs in the name of users"
    return None


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def write(path, text, mode=0o644):
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


class PrivateSlurm:
    """Started by `with`; at its end no process of it is left."""

    def __init__(self):
        # Not below pytest's folder: a socket's path has at most 107 letters.
        self.folder = tempfile.mkdtemp(prefix="slurm-", dir="/tmp")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environment["PATH"] += ":/usr/sbin:/sbin"
        self.environment["SLURM_CONF"] = os.path.join(self.folder, "slurm.conf")
        # What its "nodes" take for their own shared memory is one and the same.
        self.environment["OMPI_MCA_btl"] = "self,tcp"
        self.daemons = []

    def __enter__(self):
        try:
            self.configure()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def configure(self):
        ports = free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} RealMemory=1000 Gres=gpu:{GPUS}"
            for name, port in zip(NODES, ports[1:])
        ]
        text = CONFIGURATION.format(
            host=socket.gethostname(), port=ports[0], folder=self.folder, nodes="\n".join(nodes)
        )
        write(os.path.join(self.folder, "slurm.conf"), text)
        write(os.path.join(self.folder, "gres.conf"), "Name=gpu File=/dev/zero\nName=gpu File=/dev/null\n")
        write(os.path.join(self.folder, "cgroup.conf"), "")
        write(os.path.join(self.folder, "munge.key"), os.urandom(64).hex(), mode=0o600)

    def start(self):
        files = {what: os.path.join(self.folder, f"munge.{what}") for what in ("key", "socket", "pid", "log", "seed")}
        self.daemon(
            "munged", "--foreground", "--force", f"--key-file={files['key']}", f"--socket={files['socket']}",
            f"--pid-file={files['pid']}", f"--log-file={files['log']}", f"--seed-file={files['seed']}",
        )  # fmt: skip
        self.wait_until("munge answers", lambda: os.path.exists(files["socket"]))
        self.daemon("slurmctld", "-D")
        for node in NODES:
            self.daemon("slurmd", "-D", "-N", node)
        self.wait_until("both nodes are idle", lambda: self.call("sinfo", "-h", "-t", "idle", "-o", "%D", "-p", "normal", check=False).strip() == "2")

    @contextlib.contextmanager
    def setting(self, line):
        """Runs with one more line in slurm.conf."""
        path = os.path.join(self.folder, "slurm.conf")
        before = read(path)
        write(path, f"{before}{line}\n")
        self.call("scontrol", "reconfigure")
        yield
        write(path, before)
        self.call("scontrol", "reconfigure")

    def daemon(self, *command):
        with open(os.path.join(self.folder, f"{command[0]}-{len(self.daemons)}.out"), "w") as output:
            self.daemons.append(
                subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            )

    def processes(self):
        """Pids of all that descends from the daemons: those with this SLURM's configuration in their environment."""
        mark = f"SLURM_CONF={self.folder}/".encode()
        found = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    if mark in file.read():
                        found.append(int(path.split("/")[2]))
            except OSError:
                pass  # ended meanwhile
        return found

    def stop(self):
        if len(self.daemons) > 1:
            self.call("scancel", "--user=root", check=False)
            deadline = time.monotonic() + 10
            while self.call("squeue", "-h", check=False).strip() and time.monotonic() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        deadline = time.monotonic() + 10
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            assert time.monotonic() < deadline, f"processes of the private SLURM that do not end: {left}"
            time.sleep(0.1)
        shutil.rmtree(self.folder)

    def wait_until(self, what, true, seconds=40):
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                logs = "".join(f"\n== {path}\n{read(path)[-2000:]}" for path in glob.glob(os.path.join(self.folder, "*.[lo][ou][gt]")))
                raise AssertionError(f"waited {seconds} s until {what}{logs}")
            time.sleep(0.1)

    def call(self, *command, check=True, **changes):
        done = subprocess.run(command, env=self.environment | changes, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def field(self, job, name):
        """A field of `scontrol show job`: the state of job 7 is field("7", "JobState")."""
        for word in self.call("scontrol", "show", "job", job).split():
            if word.startswith(name + "="):
                return word.split("=", 1)[1]
        raise AssertionError(f"job {job} has no field {name}")
