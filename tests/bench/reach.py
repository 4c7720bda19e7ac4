"""The client's ways to a machine beside plain ssh to the same sshd, and the splice beside haproxy."""
import os
import subprocess

from cpu import exact_seconds
from lab.net import RUN, Namespace, check
from lib import Agent, Person, Relay, Sshd, free_port, run, wait_for
from table import MIB, cpu_s, mb_s, ms
from ways import Way, in_turn, openssh, random_file, warm

CLIENT = os.environ.get("SALLYPORT_CLIENT", "sallyport")
SPLICE = os.environ.get("SALLYPORT_BENCH_SPLICE", "bench_splice")
DELAY = os.environ.get("SALLYPORT_DELAY_LINK", "delay_link")

HERE, FAR = "192.168.77.2", "192.168.78"
ROUND_TRIP_MS = 50
# How each machine lets people in; they all have the same sshd.
MACHINES = {"sshd": "sshd", "door": "door", "spliced": "off"}


class ReachWay(Way):
    """`sallyport ssh` to one machine, or plain ssh straight to the sshd (machine None)."""

    def __init__(self, name, person, machine, daemons, inner, host, inside=None):
        super().__init__(name, person, [], daemons, inner)
        self.machine, self.host, self.inside = machine, host, inside
        self.port = inner.port

    def argv(self, command):
        options = ["-F", str(self.person.config), "-T"]
        if self.machine:
            argv = [CLIENT, "ssh", "--state", str(self.person.state), self.machine, *options, command]
        else:
            argv = ["ssh", *options, "-p", str(self.port), self.host, command]
        return self.inside.argv(*argv) if self.inside else argv


class Laptop(Person):
    """A person who has joined with the client, in a namespace of his own or in this one."""

    def __init__(self, world, name, relay, sshd, inside=None):
        super().__init__(world, name, relay, sshd, known=False)
        self.state = world.folder(f"{name}-client")
        url = [word for word in relay.ctl("invite", "user", name, "--admin").split() if "sallyport://" in word][-1]
        argv = [CLIENT, "join", "--state", str(self.state), url.strip("'\"")]
        done = run(inside.argv(*argv) if inside else argv)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)


def machines(world, relay, inner, prefix):
    agents = {}
    for name, direct in MACHINES.items():
        agent = Agent(world, f"{prefix}-{name}", relay, f"direct = {direct}\nport_mapping = off\n[service ssh]\nport = {inner.port}\n")
        agent.join()
        agent.start("ssh")
        if direct == "sshd":
            wait_for("sshd to be found good", lambda shown=agent: _shows_sshd(shown))
        agents[name] = agent
    return agents


def _shows_sshd(agent):
    return any(candidate.get("to") == "sshd" for candidate in agent.status()["direct"]["candidates"])


def home(world, name, address):
    """A relay at that address, with the machines behind it."""
    inner = Sshd(world, f"{name}-sshd", more=f"ListenAddress {address}")
    port = free_port()
    relay = Relay(world, f"{name}-relay", listen=[f"{address}:{port}"], port=port, extra=["--name", address])
    return inner, relay, machines(world, relay, inner, name)


def measure_ways(table, world, how, say):
    check(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth0"])
    check(["ip", "link", "set", "veth0", "up"])
    check(["ip", "addr", "add", f"{HERE}/24", "dev", "eth0"])
    check(["ip", "link", "set", "eth0", "up"])
    inner, relay, agents = home(world, "reach", HERE)
    laptop = Laptop(world, "dora", relay, inner)
    ways = {name: ReachWay(name, laptop, f"reach-{name}", [relay.process, agents[name].process], inner, HERE) for name in MACHINES}
    ways["plain"] = ReachWay("plain", laptop, None, [], inner, HERE)
    ways["ssh -J"] = openssh(world, inner)
    path, size = world.path("random-reach"), how.size * MIB
    random_file(path, size)
    for way in ways.values():
        warm(way)
    found = {(name, direction): [] for name in ways for direction in ("up", "down")}
    for number in range(how.rounds):
        for direction in ("up", "down"):
            for name in in_turn(list(ways), number):
                one = getattr(ways[name], direction)(path, size)
                found[name, direction].append(one)
                say(f"  {direction:4} {number + 1}/{how.rounds} {name:8} {mb_s(one['mb_s'])}, "
                    f"{cpu_s(one['cpu_s_gb'])} of processor time a GB")
    path.unlink()
    rows = (("direct, to sshd", "sshd", "plain", 0.98, 1.02), ("direct, by the door", "door", "plain", 0.98, 1.02),
            ("spliced", "spliced", "plain", 0.9, 1.3), ("spliced, beside `ssh -J` by sshd", "spliced", "ssh -J", 2.0, None))
    for text, ours, theirs, speed, cost in rows:
        for direction, where in (("up", "to"), ("down", "from")):
            for key, what, form, goal, at_least in (("mb_s", "speed", mb_s, speed, True),
                                                    ("cpu_s_gb", "processor time a GB", cpu_s, cost, False)):
                a, b = ([one[key] for one in found[name, direction]] for name in (ours, theirs))
                table.compare(f"{text}: {what} {where} the machine", a, b, form, goal, at_least)


def far_laptop(world, relay_net):
    """A namespace at the other end of a wire of 25 ms each way."""
    os.makedirs(RUN, exist_ok=True)
    check(["mount", "-t", "tmpfs", "none", RUN])
    laptop = Namespace("bench-laptop")
    world.start("delay", [DELAY, str(ROUND_TRIP_MS / 2), "-", "far0", laptop.name, "far0"],
                clean_end=False).wait_line("ready")
    check(["ip", "addr", "add", f"{relay_net}.1/24", "dev", "far0"])
    laptop.ip(f"addr add {relay_net}.2/24 dev far0", f"route add default via {relay_net}.1")
    return laptop


def measure_prompt(table, world, how, say):
    inside = far_laptop(world, FAR)
    inner, relay, _ = home(world, "far", f"{FAR}.1")
    laptop = Laptop(world, "emil", relay, inner, inside)
    ways = {name: ReachWay(name, laptop, f"far-{name}", [], inner, f"{FAR}.1", inside) for name in MACHINES}
    ways["plain"] = ReachWay("plain", laptop, None, [], inner, f"{FAR}.1", inside)
    for way in ways.values():
        warm(way)
        way.login()
    found = {name: [] for name in ways}
    for number in range(how.logins):
        for name in in_turn(list(ways), number):
            found[name].append(ways[name].login())
        say(f"  logins {number + 1}/{how.logins}: " + ", ".join(f"{name} {ms(list_[-1])}" for name, list_ in found.items()))
    for name, trips, text in (("sshd", 1, "direct, to sshd"), ("door", 1, "direct, by the door"), ("spliced", 2, "spliced")):
        table.added(f"time to prompt over {ROUND_TRIP_MS} ms, {text}; beside it: plain ssh", found[name], found["plain"], ms,
                    trips * ROUND_TRIP_MS / 1000)


def haproxy(world, target):
    port, config = free_port(), world.path("haproxy.cfg")
    config.write_text("defaults\n  mode tcp\n  option splice-auto\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
                      f"frontend in\n  bind 127.0.0.1:{port}\n  default_backend out\n"
                      f"backend out\n  server one 127.0.0.1:{target}\n", encoding="ascii")
    plain = world.path("haproxy-copy.cfg")
    plain.write_text(config.read_text(encoding="ascii").replace("  option splice-auto\n", ""), encoding="ascii")
    return port, config, plain


def measure_splice(table, world, how, say):
    """Bare bytes through one hop, beside haproxy with and without its own splicing; the better of both stands there."""
    found, fronts = {}, {}
    for name in ("splice", "haproxy", "haproxy, copying"):
        target = free_port()
        if name == "splice":
            port = free_port()
            argv = [SPLICE, "front", str(port), str(target)]
        else:
            port, splicing, copying = haproxy(world, target)
            argv = ["haproxy", "-db", "-f", str(splicing if name == "haproxy" else copying)]
        process = world.start(name.replace(", ", "-"), argv, clean_end=False)
        wait_for(f"{name} to listen", lambda port=port: _listens(port))
        fronts[name] = (process, port, target)
        found[name] = {"mb_s": [], "cpu_s_gb": []}
    size = 4 * how.size * MIB
    for number in range(how.rounds + 1):
        for name in in_turn(list(fronts), number):
            process, port, target = fronts[name]
            began = exact_seconds(process.pid)
            done = subprocess.run([SPLICE, "flow", str(port), str(target), str(size)], capture_output=True, text=True,
                                  check=True, timeout=300)
            if number:
                found[name]["mb_s"].append(size / int(done.stdout) * 1e9 / 1e6)
                found[name]["cpu_s_gb"].append((exact_seconds(process.pid) - began) / (size / 1e9))
        say(f"  raw bytes {number}/{how.rounds}")
    for key, what, form, goal, at_least in (("mb_s", "speed", mb_s, 1.3, True),
                                            ("cpu_s_gb", "processor time a GB", cpu_s, None, False)):
        pick = max if at_least else min
        best = pick(("haproxy", "haproxy, copying"), key=lambda name: sorted(found[name][key])[how.rounds // 2])
        table.compare(f"bare bytes through one hop: {what}; beside it: {best}", found["splice"][key], found[best][key],
                      form, goal, at_least)


def _listens(port):
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(file)[1:])


__all__ = ["measure_prompt", "measure_splice", "measure_ways"]
