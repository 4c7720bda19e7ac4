"""Measures what docs/BENCHMARKS.md tells. Started by scripts/bench, which builds the programs first."""
import argparse
import os
import pathlib
import platform
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from cpu import exact_seconds  # noqa: E402
from lab.net import seal  # noqa: E402
from lib import Person, Relay, Sshd, World, end_popen, run, wait_for  # noqa: E402
from history import measure_crowd_states, measure_page  # noqa: E402
from own_state import measure_own_state  # noqa: E402
from reach import measure_prompt, measure_splice, measure_ways  # noqa: E402
from table import KIB, MIB, Table, cpu_s, kib, mb_s, mib, ms, percent  # noqa: E402
from ways import in_turn, openssh, random_file, sallyport, warm  # noqa: E402
from web import measure_cells, measure_fronts, measure_live  # noqa: E402

MANY_AGENTS = os.environ.get("SALLYPORT_MANY_AGENTS", "many_agents")
PARTS = ("transfers", "logins", "agent", "crowd", "web", "cells", "live", "reach", "prompt", "splice", "history")


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure_transfers(table, ways, world, how):
    path, size = world.path("random"), how.size * MIB
    random_file(path, size)
    found = {(way.name, direction): [] for way in ways for direction in ("up", "down")}
    for number in range(how.rounds):
        for direction in ("up", "down"):
            for way in in_turn(ways, number):
                one = getattr(way, direction)(path, size)
                found[way.name, direction].append(one)
                say(f"  {direction:4} {number + 1}/{how.rounds} {way.name:9} {mb_s(one['mb_s'])}, "
                    f"{cpu_s(one['cpu_s_gb'])} of processor time a GB")
    path.unlink()
    for what, name, form, goal, at_least in (("speed", "mb_s", mb_s, 1.3, True),
                                             ("processor time a GB", "cpu_s_gb", cpu_s, 0.95, False)):
        for direction, text in (("up", "to the machine"), ("down", "from the machine")):
            ours, theirs = ([one[name] for one in found[way.name, direction]] for way in ways)
            table.compare(f"`ssh -J` {text}: {what}", ours, theirs, form, goal, at_least)


def measure_logins(table, ways, how):
    found = {way.name: [] for way in ways}
    for number in range(how.logins):
        for way in in_turn(ways, number):
            found[way.name].append(way.login())
    table.compare("`ssh -J` login to first byte", *(found[way.name] for way in ways), ms, 1.0, False)


def measure_agent(table, agent, how):
    """The real agent, doing nothing; after the transfers and logins, when they are measured too."""
    time.sleep(5)
    began, used = time.monotonic(), exact_seconds(agent.process.pid)
    time.sleep(how.idle)
    share = (exact_seconds(agent.process.pid) - used) / (time.monotonic() - began)
    table.bound(f"agent, idle for {how.idle} s: share of a core", share, percent, 0.002)
    table.bound("agent, resident memory", agent.process.memory(), mib, 10 * MIB)
    table.note("agent, most it ever had", mib(agent.process.status("VmHWM") * KIB))


def add_machines(relay, keys, count):
    made = run([MANY_AGENTS, "keys", keys, str(count)])
    if made.returncode != 0:
        raise RuntimeError(made.stderr)
    for n in range(count):
        relay.ctl("machine", "add", f"load{n}", (keys / f"{n}.pub").read_text(encoding="ascii").strip())


def measure_crowd(table, world, how):
    """A relay of its own: memory that the transfers left behind would hide what a machine needs."""
    relay = Relay(world, "crowd-relay")
    person = Person(world, "carol", relay, admin=True)
    add_machines(relay, world.folder("crowd-keys"), how.agents)
    person.verb("list")
    before = relay.process.memory()
    with open(world.path("crowd.log"), "wb") as log:
        load = subprocess.Popen([MANY_AGENTS, "run", str(relay.port), world.path("crowd-keys"), str(how.agents)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    world.at_end(lambda: end_popen(load))
    if load.stdout.readline() != b"ready\n":
        raise RuntimeError(world.path("crowd.log").read_text(encoding="utf-8", errors="replace"))
    wait_for("all machines online",
             lambda: sum(machine["online"] for machine in relay.machines().values()) == how.agents, 60)
    time.sleep(10)
    each = (relay.process.memory() - before) / how.agents
    table.bound(f"relay, each of {how.agents} idle machines", each, kib, 40 * KIB)
    began, used = time.monotonic(), exact_seconds(relay.process.pid)
    time.sleep(how.idle)
    share = (exact_seconds(relay.process.pid) - used) / (time.monotonic() - began)
    table.note(f"relay, {how.agents} idle machines: share of a core", percent(share))


def the_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "processor")
    with open("/etc/os-release", encoding="utf-8") as file:
        system = next((line.split("=")[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME")), "")
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.strip()
    return f"{os.cpu_count()} cores ({model}), {system}, Linux {platform.release()}, {ssh.split(',')[0]}"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Prints the project's figures beside its goals.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, not a result")
    parser.add_argument("--only", choices=PARTS, action="append",
                        help="this part alone; may be given more than once")
    parser.add_argument("--rounds", type=int, help="transfers each way and direction")
    parser.add_argument("--size", type=int, help="MiB a transfer")
    how = parser.parse_args()
    how.only = how.only or PARTS
    how.rounds = how.rounds or (3 if how.quick else 7)
    how.size = how.size or (256 if how.quick else 512)
    how.logins = 7 if how.quick else 31
    how.idle = 15 if how.quick else 60
    how.agents = 200 if how.quick else 1000
    how.cells = 40 if how.quick else 200
    how.browsers = 200
    return how


def measure(table, world, how):
    if {"transfers", "logins", "agent"} & set(how.only):
        inner = Sshd(world, "machine-sshd")
        ours, agent = sallyport(world, inner)
        ways = [ours, openssh(world, inner)]
        for way in ways:
            warm(way)
        if "transfers" in how.only:
            say(f"Transfers of {how.size} MiB, {how.rounds} rounds ...")
            measure_transfers(table, ways, world, how)
        if "logins" in how.only:
            say(f"Logins, {how.logins} each ...")
            measure_logins(table, ways, how)
        if "agent" in how.only:
            say(f"An idle agent, {how.idle} s ...")
            measure_agent(table, agent, how)
            say(f"An agent that looks every second, {how.idle} s ...")
            measure_own_state(table, world, how)
    if "crowd" in how.only:
        say(f"{how.agents} machines in one relay ...")
        measure_crowd(table, world, how)
    if "history" in how.only:
        measure_page(table, world, say)
        measure_crowd_states(table, world, how, say)


def measure_web(table, world, how):
    for part, one in (("web", measure_fronts), ("cells", measure_cells), ("live", measure_live)):
        if part in how.only:
            one(table, world, how, say)


def measure_reach(table, world, how):
    """In a sealed network: the client needs an address that is not a loopback's."""
    for part, one in (("reach", measure_ways), ("prompt", measure_prompt), ("splice", measure_splice)):
        if part in how.only:
            one(table, world, how, say)


def main():
    how = arguments()
    if {"reach", "prompt", "splice"} & set(how.only):
        seal()
        run(["ip", "link", "set", "lo", "up"])
    ssh, web, reach, world = Table("sshd"), Table("nginx"), Table("beside"), World()
    load = os.getloadavg()[0]
    try:
        measure(ssh, world, how)
        measure_web(web, world, how)
        measure_reach(reach, world, how)
    except BaseException:
        print("\n".join(world.logs()), file=sys.stderr)
        raise
    finally:
        try:
            world.close()
        finally:
            world.remove()
    print(f"{the_machine()}; load when it began {load:.1f}; {time.strftime('%Y-%m-%d')}")
    for table in (ssh, web, reach):
        if table.rows:
            print(f"\n{table}")


if __name__ == "__main__":
    main()
