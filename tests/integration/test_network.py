"""A real network between agent and relay, which goes dark, changes addresses, and comes back.

Three network namespaces (relay, router, box) within a sealed one: nothing can leave the machine.
"""
import os
import subprocess
import sys
import time
import unittest

if os.environ.get("SALLYPORT_SEALED") != "1":
    more = [] if os.getuid() == 0 else ["--map-root-user"]
    os.execvpe("unshare", ["unshare", "--net", "--mount", *more, *sys.orig_argv],
               {**os.environ, "SALLYPORT_SEALED": "1"})

from lib import AGENT, RELAY, STRETCH, Agent, Case, Person, Relay, Sshd, run, wait_for

NOTICED = 20.0  # a dead path has to be seen within this, on both sides
GRACE = 4.0     # for the question itself on a busy machine

NETWORK = """
mount -t tmpfs none {run}
ip link set lo up
ip netns add relay
ip netns add router
ip netns add box
ip link add r0 netns relay type veth peer name r1 netns router
ip link add b0 netns box type veth peer name b1 netns router
ip -n relay link set lo up
ip -n relay addr add 10.77.1.2/24 dev r0
ip -n relay link set r0 up
ip -n relay route add default via 10.77.1.1
ip -n router link set lo up
ip -n router addr add 10.77.1.1/24 dev r1
ip -n router addr add 10.77.2.1/24 dev b1
ip -n router link set r1 up
ip -n router link set b1 up
ip -n box link set lo up
ip -n box addr add 10.77.2.2/24 dev b0
ip -n box link set b0 up
ip -n box route add default via 10.77.2.1
"""


def command(line):
    done = run(line.split())
    if done.returncode != 0:
        raise AssertionError(f"{line}: {done.stderr}")


def within(namespace, argv):
    return ["ip", "netns", "exec", namespace, *argv]


def forwarding(on):
    done = run(within("router", ["sh", "-c", f"echo {int(on)} >/proc/sys/net/ipv4/ip_forward"]))
    if done.returncode != 0:
        raise AssertionError(done.stderr)


class FarRelay(Relay):
    def argv(self):
        argv = super().argv()
        return within("relay", [word if word != "localhost" else "10.77.1.2" for word in argv])


class FarAgent(Agent):
    def try_join(self, url):
        return run(within("box", [AGENT, "join", "--state", self.state, url]))

    def start(self, *services, timeout=30.0):
        argv = within("box", [AGENT, "run", "--state", self.state, "--config", self.config])
        self.process = self.world.start(f"{self.name}-agent", argv)
        if services:
            self.relay.wait_online(self.name, *services, timeout=timeout)


class Network(Case):
    @classmethod
    def begin(cls):
        os.makedirs("/run/netns", exist_ok=True)
        for line in NETWORK.format(run="/run/netns").strip().splitlines():
            command(line)
        forwarding(True)
        cls.relay = FarRelay(cls.world, listen=["10.77.1.2:2222"], port=2222)
        cls.agent = FarAgent(cls.world, "box1", cls.relay, "[service echo]\nport = 7\n[service ssh]\nport = 2\n")
        cls.agent.join()
        cls.agent.start()

    def setUp(self):
        self.dark(False)
        self.relay.wait_online("box1", timeout=60)

    def dark(self, on):
        """Whether the router drops what it should forward, without a word to either side."""
        forwarding(not on)

    def connected(self):
        return self.agent.status()["state"] == "connected"

    def test_a_dead_path_is_noticed_by_both_and_heals(self):
        began = time.monotonic()
        self.dark(True)
        wait_for("the agent to notice", lambda: not self.connected(), 60)
        agent_noticed = time.monotonic() - began
        self.relay.wait_offline("box1", 60)
        self.assertLess(agent_noticed, (NOTICED + GRACE) * STRETCH)
        self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)
        self.dark(False)
        self.relay.wait_online("box1", timeout=60)

    def test_a_short_darkness_is_survived(self):
        since = self.relay.machine("box1")["since"]
        self.dark(True)
        time.sleep(5)
        self.dark(False)
        time.sleep(10)
        self.assertTrue(self.connected())
        self.assertEqual(self.relay.machine("box1")["since"], since)

    def test_a_bare_ssh_on_a_dead_path_is_noticed(self):
        machine = Person(self.world, "bare1", self.relay, known=False)
        self.relay.ctl("machine", "add", "bare1", self.world.public(machine.key))
        self.world.start("bare1", within("box", machine.argv("-N", "-R", "ssh:22:127.0.0.1:2", "-o", "HostName=10.77.1.2",
                                                           "relay")), clean_end=False)
        self.relay.wait_online("bare1", "ssh")
        began = time.monotonic()
        self.dark(True)
        self.relay.wait_offline("bare1", 60)
        self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)

    def test_another_address_means_another_connection_at_once(self):
        self.assertEqual(self.observed(), "10.77.2.2")
        command("ip -n box addr add 10.77.2.3/24 dev b0")
        command("ip -n box addr del 10.77.2.2/24 dev b0")
        # The second address goes with the first where the kernel does not promote it.
        subprocess.run(["ip", "-n", "box", "addr", "add", "10.77.2.3/24", "dev", "b0"], capture_output=True, check=False)
        subprocess.run(["ip", "-n", "box", "route", "replace", "default", "via", "10.77.2.1"], check=True)
        wait_for("the machine at its new address", lambda: self.observed() == "10.77.2.3", 12)

    def test_a_cable_pulled_and_put_back(self):
        command("ip -n box link set b0 down")
        wait_for("the agent to notice", lambda: not self.connected(), 30)
        command("ip -n box link set b0 up")
        command("ip -n box route replace default via 10.77.2.1")
        self.relay.wait_online("box1", timeout=20)
        wait_for("the agent", self.connected, 20)

    def observed(self):
        """Where the relay last saw the machine log in from."""
        text = self.relay.process.text()
        return [line.rsplit(" ", 1)[1] for line in text.splitlines() if "box1 logged in from" in line][-1]


if __name__ == "__main__":
    unittest.main()
