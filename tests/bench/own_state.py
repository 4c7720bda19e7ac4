"""What it costs to know the machine's own state: the agent at a sample a second, with two GPUs and 300 processes."""
import subprocess
import time

from cpu import exact_seconds, tree
from lib import Agent, Relay, wait_for
from lib.nvml import Gpus
from table import KIB, MIB, mib, percent

PROCESSES = 300
ON_GPUS = 4
SETTLE_S = 10


def memory_bytes(pids, field):
    """`Pss`: with their part of what they share with others; `Rss`: with all of it."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith(f"{field}:"))
    return total * KIB


def end(jobs):
    for job in jobs:
        job.kill()
        job.wait()


def measure_own_state(table, world, how):
    """The GPUs are the stand-in of tests/stand: what the true library costs is NVIDIA's."""
    gpus = Gpus(world)
    jobs = [subprocess.Popen(["sleep", "100000"], stdin=subprocess.DEVNULL) for _ in range(PROCESSES)]
    world.at_end(lambda: end(jobs))
    gpus.play(*[f"process {number % 2} {jobs[number].pid} 1000 25" for number in range(ON_GPUS)])
    relay = Relay(world, "own-relay")
    agent = Agent(world, "own", relay, "sample_interval = 1\n", gpus.env)
    agent.join()
    agent.start()
    wait_for("the GPUs and their users", lambda: len(relay.status("own")["gpus"]) == 2 and
             sum(bool(process.get("gpus")) for process in relay.status("own")["processes"]) == ON_GPUS)
    time.sleep(SETTLE_S)
    family = list(tree([agent.process.pid]))
    began, used = time.monotonic(), sum(exact_seconds(pid) for pid in family)
    time.sleep(how.idle)
    share = (sum(exact_seconds(pid) for pid in family) - used) / (time.monotonic() - began)
    table.bound(f"agent and its helper, a sample a second, 2 GPUs, {PROCESSES} processes: share of a core", share,
                percent, 0.005)
    table.bound("... memory (PSS, both)", memory_bytes(family, "Pss"), mib, 12 * MIB)
    table.note("... resident, with what others share", mib(memory_bytes(family, "Rss")))

