"""Everything together: a relay on port 443, homes whose machines run sshd and the agent, laptops with the client."""
import json
import os
import re
import subprocess
import time

from lib import ME, STRETCH, Person, Relay, find_url, wait_for

from .net import Internet, address4, address6, check
from .places import WANTED, Home, HomeAgent, HomeSshd, Laptops

CLIENT = os.environ.get("SALLYPORT_CLIENT", "sallyport")
NAME = "relay.example.net"
PORT = 443


class TownRelay(Relay):
    def __init__(self, world, internet):
        self.namespace, number = internet.host("relay", ipv6=True)
        self.within = self.namespace.argv()
        self.address, self.address6 = address4(number), address6(number)
        super().__init__(world, listen=[f"0.0.0.0:{PORT}", f"[::]:{PORT}"], port=PORT)

    def argv(self):
        return [NAME if word == "localhost" else word for word in super().argv()]


def hosts(world, *pairs):
    """What takes the place of DNS, seen by the programs of this test only."""
    file = world.path("hosts")
    file.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address, name in pairs),
                    encoding="ascii")
    check(["mount", "--bind", str(file), "/etc/hosts"])


class Machine:
    """A home's machine: sshd, the agent, and what the relay knows of the ways to it."""

    def __init__(self, town, home, config=""):
        self.town = town
        self.home = home
        self.sshd = HomeSshd(town.world, home.machine)
        if "port_mapping" not in config:
            config = f"port_mapping = auto\n{config}"
        if home.plan.taken:
            config = f"external_port = {WANTED}\n{config}"
        self.agent = HomeAgent(town.world, home.machine, town.relay, self.sshd, config)
        self.agent.join()

    def start(self):
        self.agent.start()

    def status(self):
        """What the agent says of itself, for people."""
        return self.agent.try_status().stdout

    def candidates(self):
        """What the relay says of the ways to it: {kind: candidate}."""
        status = json.loads(self.town.relay.ctl("status", self.home.plan.name, "--json"))
        return {candidate["kind"]: candidate for candidate in status.get("reach", {}).get("candidates", [])}

    def verified(self):
        return {kind: way for kind, way in self.candidates().items() if way["state"] == "verified"}

    def settled(self):
        """Whether nothing of it waits for a check any more."""
        return all(way["state"] != "unchecked" for kind, way in self.candidates().items() if kind != "lan")


class Visit:
    """One ssh to a machine: what came out of it."""

    def __init__(self, argv, **how):
        began = time.monotonic()
        with subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, bufsize=0, **how) as ssh:
            try:
                first = ssh.stdout.read(1)
                self.seconds = time.monotonic() - began  # to the first byte from the machine: the time to a prompt
                rest, error = ssh.communicate(timeout=60 * STRETCH)
            except BaseException:
                ssh.kill()
                raise
        self.status = ssh.returncode
        self.text = (first + rest).decode()
        self.error = error.decode()

    def route(self):
        """By which way, as -v tells it; "trunk" for the relay's SSH."""
        found = re.search(r"\broute: (\w+)", self.error)
        if found:
            return found[1]
        return "trunk" if "through the relay's SSH" in self.error else "none"


class Laptop:
    """Somebody with the client and a stock ssh, in a network."""

    def __init__(self, town, name, namespace):
        self.town = town
        self.name = name
        self.namespace = namespace
        self.state = town.world.folder(f"{name}-client-state")
        self.person = Person(town.world, name, town.relay, known=False, host=NAME)
        self.person.within = namespace.argv()
        url = find_url(town.relay.ctl("invite", "user", name, "--admin"))
        done = self.run("join", "-", input=f"{url}\n")
        if done.returncode != 0:
            raise AssertionError(f"{name} cannot join: {done.stdout}{done.stderr}")
        town.relay.ctl("key", "add", name, town.world.public(self.person.key))
        for machine in town.machines.values():
            machine.sshd.authorize(self.person.key)

    def run(self, verb, *words, **how):
        """A verb of the client."""
        return self.namespace.run(CLIENT, verb, "--state", self.state, *words, **how)

    def client_argv(self, box, *words):
        return self.namespace.argv(CLIENT, "ssh", "--state", self.state, "-v", box, "-F", "none", "-l", ME,
                                   "-i", self.person.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", *words)

    def ssh(self, box, **how):
        """`sallyport ssh BOX echo here`."""
        return self._checked(self.client_argv(box, "echo", "here"), **how)

    def ticket(self, box):
        """What the relay answers to who asks for the ways to the machine's ssh."""
        return json.loads(self.person.verb("ticket", box).stdout)

    def stock_ssh(self, box):
        """The same by an ssh that knows nothing of Sallyport."""
        return self._checked(self.person.argv("-J", "relay", box, "echo", "here"))

    def _checked(self, argv, **how):
        visit = Visit(argv, **how)
        if visit.status != 0 or visit.text != "here\n":
            said = f"{visit.status} {visit.text!r} {visit.error}"
            raise AssertionError(f"{self.name}: {' '.join(map(str, argv))}: {said}")
        return visit


class Town:
    """`rows` of plans.py, `configs` of agents by home; the laptops are made when they are asked for."""

    def __init__(self, world, rows, configs=None):
        self.world = world
        self.internet = Internet(world)
        self.relay = TownRelay(world, self.internet)
        hosts(world, (self.relay.address, NAME), (self.relay.address6, NAME))
        self.places = Laptops(world, self.internet)
        self.homes = {row.plan.name: Home(world, self.internet, row.plan) for row in rows}
        self.machines = {name: Machine(self, home, (configs or {}).get(name, "")) for name, home in self.homes.items()}
        self.laptops = {}
        for machine in self.machines.values():
            machine.start()
        for name in self.machines:
            self.relay.wait_online(name, "ssh")

    def laptop(self, name, home=None):
        """The laptop of that name; "guest" is one of each home."""
        key = f"guest-{home}" if name == "guest" else name
        if key not in self.laptops:
            namespace = self.homes[home].guest if name == "guest" else getattr(self.places, name)
            self.laptops[key] = Laptop(self, key, namespace)
        return self.laptops[key]

    def settle(self, name, wanted, timeout=45.0):
        """Waits until the relay has proved a way to the machine, when one is to be expected, or has seen that none
        works."""
        machine = self.machines[name]
        if wanted:
            return wait_for(f"a proved way to {name}", machine.verified, timeout, 0.3)
        return wait_for(f"the relay to have checked {name}", machine.settled, timeout, 0.3)
