"""What ranks exchange over a network, measured on a simulated one and as `palimpsest plan` predicts it.

Every rank gets a network namespace with a host name and one adapter; a switch in software between them limits each
adapter's rate and delays each frame (netem would do, but not every kernel has it). Open MPI runs over TCP as between real
nodes. Needs root, iproute2 and /dev/net/tun; says why, with exit code 77, where one is missing. All that is made is
deleted again.

  tests/network/simulated_cluster.py            # the table of docs/planning.md
  tests/network/simulated_cluster.py --check    # a part of it, as a test: fails where a prediction is too far off
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
PREFIX = f"pal{os.getpid() % 100000}"  # of namespaces and devices; a device's name has at most 15 letters
NETWORK = "10.77.0"

# For mpirun, in the place of ssh: AGENT ADDRESS COMMAND...
AGENT = f"""#!/bin/bash
port=$(( ${{1##*.}} - 1 ))
shift
exec ip netns exec {PREFIX}n$port unshare --uts bash -c "hostname node$port; $*"
"""

MACHINE = """ranks-per-node = 1
node-latency = 1e-6
node-bandwidth = 1e10
network-latency = {latency}
network-bandwidth = {bandwidth}
message-overhead = {overhead}
"""
# What TCP and Open MPI add to a message, beside 8 other ranks on two cores; and the part of the rate that is left for
# data when frames have 9000 bytes.
SOFTWARE_LATENCY, OVERHEAD, PAYLOAD = 60e-6, 20e-6, 0.99
WORST = 0.35  # of --check: two cores run eight ranks and the switch, and what else the machine does
TRIES = 3


class Missing(Exception):
    pass


def ip(*arguments):
    try:
        done = subprocess.run(["ip", *map(str, arguments)], capture_output=True, text=True)
    except FileNotFoundError:
        raise Missing("ip is not installed (Debian's package iproute2)") from None
    if done.returncode != 0:
        raise Missing(f"ip {' '.join(map(str, arguments))}: {done.stderr.strip()}")


@contextlib.contextmanager
def cluster(switch, ranks, delay, rate):
    """Namespaces PREFIXn0, ... joined by a switch; `delay` in seconds, `rate` in bytes per second."""
    process, names = None, []
    try:
        for port in range(ranks):
            ip("netns", "add", f"{PREFIX}n{port}")
            names.append(f"{PREFIX}n{port}")
        command = [switch, str(ranks), str(delay), str(rate), f"{PREFIX}t"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if process.stdout.readline().strip() != "ready":
            raise Missing(process.stderr.read().strip())
        for port, name in enumerate(names):
            device = f"{PREFIX}t{port}"
            ip("link", "set", device, "netns", name)
            inside = ("-n", name)
            ip(*inside, "link", "set", "lo", "up")
            ip(*inside, "link", "set", device, "address", f"02:00:00:00:00:{port:02x}", "mtu", 9000, "txqueuelen", 10000, "up")
            ip(*inside, "address", "add", f"{NETWORK}.{port + 1}/24", "dev", device)
        yield
    finally:
        if process:
            process.kill()
            process.wait()
        for name in names:
            left = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            for pid in left:  # of a run that was ended
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            ip("netns", "delete", name)


def mpirun(folder, ranks, command):
    """Runs `command` with one rank in each namespace, and returns what it printed."""
    agent, hosts = folder / "agent", folder / "hosts"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    hosts.write_text("".join(f"{NETWORK}.{port + 1} slots=1\n" for port in range(ranks)))
    settings = {
        "plm": "rsh",
        "plm_rsh_agent": agent,
        "plm_rsh_no_tree_spawn": 1,
        "oob_tcp_if_include": f"{NETWORK}.0/24",
        "pml": "ob1",
        "btl": "tcp,self",
        "btl_tcp_if_include": f"{NETWORK}.0/24",
        "mpi_yield_when_idle": 1,
    }
    options = [str(word) for name, value in settings.items() for word in ("--mca", name, value)]
    line = ["mpirun", "--bind-to", "none", "--hostfile", str(hosts), "-n", str(ranks), *options, *map(str, command)]
    first = ["ip", "netns", "exec", f"{PREFIX}n0", "unshare", "--uts", "bash", "-c", 'hostname node0; exec "$@"', "mpirun"]
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*first, *line], capture_output=True, text=True, timeout=240, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)} returned {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def measure(tools, ranks, delay, rate, lanes, numbers, steps):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        machine = folder / "machine.cfg"
        machine.write_text(MACHINE.format(latency=delay + SOFTWARE_LATENCY, bandwidth=PAYLOAD * rate, overhead=OVERHEAD))
        with cluster(tools.switch, ranks, delay, rate):
            return json.loads(mpirun(folder, ranks, [tools.exchange, machine, lanes, numbers, steps]))


def main():
    tests = ROOT / "build" / "release" / "tests" / "network"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switch", default=tests / "simulated_switch")
    parser.add_argument("--exchange", default=tests / "exchange_time")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--steps", type=int, default=30)
    tools = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was made is deleted

    networks = [(1e-3, 12.5e6), (1e-3, 1.25e6), (5e-3, 125e6)]
    cases = [(8, 94470), (8, 1000), ("ranks", 94470), ("ranks", 1000)]  # trained by debian-sections.cfg, and few
    if tools.check:
        networks, cases = networks[:1], cases[:1]
    print("delay/ms  Mbit/s  lanes  numbers  ranks  measured/ms  planned/ms     off  latency  transfer")
    worst, begun = 0, False
    for delay, rate in networks:
        for lanes, numbers in cases:
            for ranks in (2, 4, 8):
                for _ in range(TRIES if tools.check else 1):
                    try:
                        t = measure(tools, ranks, delay, rate, lanes, numbers, tools.steps)
                    except Missing as reason:
                        if begun:
                            raise
                        print(f"no simulated network on this machine: {reason}")
                        return SKIPPED
                    begun = True
                    off = t["planned"] / t["measured"] - 1
                    if abs(off) < WORST:
                        break
                worst = max(worst, abs(off))
                ms = {key: f"{1e3 * value:.1f}" for key, value in t.items()}
                print(
                    f"{1e3 * delay:8.1f}  {8e-6 * rate:6.0f}  {lanes:>5}  {numbers:7}  {ranks:5}  {ms['measured']:>11}"
                    f"  {ms['planned']:>10}  {100 * off:+4.0f} %  {ms['latency']:>7}  {ms['transfer']:>8}",
                    flush=True,
                )
    return 1 if tools.check and worst > WORST else 0


if __name__ == "__main__":
    sys.exit(main())
