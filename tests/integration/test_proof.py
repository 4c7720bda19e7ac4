"""Proof from outside: where the relay connects to, where it never does, and what it says of what it finds.

Two network namespaces, relay and box, with public-looking addresses, within a sealed one: nothing can leave the machine.
"""
import ctypes
import json
import os
import socket
import sys
import threading
import time
import unittest

if os.environ.get("SALLYPORT_SEALED") != "1":
    more = [] if os.getuid() == 0 else ["--map-root-user"]
    os.execvpe("unshare", ["unshare", "--net", "--mount", *more, *sys.orig_argv],
               {**os.environ, "SALLYPORT_SEALED": "1"})

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lib import Case, Person, Relay, find_program, free_port, run, wait_for
from lib.door import Door, HandMachine, encode

NETWORK = """
mount -t tmpfs none {run}
ip link set lo up
ip netns add relay
ip netns add box
ip link add r0 netns relay type veth peer name b0 netns box
ip -n relay link set lo up
ip -n relay addr add 45.0.1.2/24 dev r0
ip -n relay addr add 10.9.9.2/24 dev r0
ip -n relay link set r0 up
ip -n relay neigh add 45.0.1.77 lladdr 02:00:00:00:00:77 dev r0 nud permanent
ip -n box link set lo up
ip -n box addr add 45.0.1.3/24 dev b0
ip -n box addr add 45.0.1.4/24 dev b0
ip -n box addr add 10.9.9.3/24 dev b0
ip -n box link set b0 up
"""
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def within(namespace, argv):
    return ["ip", "netns", "exec", namespace, *[str(word) for word in argv]]


def made_in(namespace, make):
    """What `make` returns there: a thread goes to the namespace, and a socket that it makes stays in it."""
    made = []

    def work():
        with open(f"/run/netns/{namespace}", "rb") as entry:
            if LIBC.setns(entry.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        made.append(make())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return made[0]


class FakeDoor:
    """Accepts, keeps what is asked, and answers as it is told to."""

    def __init__(self, answer, address="45.0.1.3", namespace="box"):
        self.answer = answer
        self.asked = []
        self.address = address
        self.port = free_port()
        self.socket = made_in(namespace, lambda: socket.create_server((address, self.port)))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.asked.append(b"")
            threading.Thread(target=self._one, args=(connection, len(self.asked) - 1), daemon=True).start()

    def _one(self, connection, number):
        try:
            with connection:
                connection.settimeout(60)
                while not self.asked[number].endswith(b"\n"):
                    chunk = connection.recv(4096)
                    if not chunk:
                        return
                    self.asked[number] += chunk
                self.answer(connection, self.asked[number].decode().strip())
        except OSError:
            pass


def signer(key):
    """The true door: signs the ticket that it is shown."""
    def answer(connection, line):
        version, mode, ticket = line.split(" ")
        if (version, mode) == ("SALLY1", "prove"):
            signature = key.sign(b"sallyport proof 1\0" + ticket.encode())
            connection.sendall(f"SALLY1 ok {encode(signature)}\n".encode())
    return answer


def raw_key(key):
    return encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


class FarRelay(Relay):
    def argv(self):
        return within("relay", super().argv())


class Proof(Case):
    @classmethod
    def begin(cls):
        os.makedirs("/run/netns", exist_ok=True)
        for line in NETWORK.format(run="/run/netns").strip().splitlines():
            done = run(line.split())
            if done.returncode != 0:
                raise AssertionError(f"{line}: {done.stderr}")
        cls.relay = FarRelay(cls.world, listen=["45.0.1.2:2222"], port=2222)
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.key = Ed25519PrivateKey.generate()
        cls.count = 0

    def wrap(self, argv):
        return within("box", argv[:1] + ["-o", "HostName=45.0.1.2"] + argv[1:])

    def machine(self, **how):
        """A new one each time: what a machine may have proved in a minute is bounded."""
        type(self).count += 1
        return HandMachine(self.world, f"box{self.count}", self.relay, wrap=self.wrap, **how)

    def door(self, source="45.0.1.3"):
        """The relay's door, from where the boxes are."""
        door = made_in("box", lambda: Door(2222, host="45.0.1.2", source=(source, 0)))
        self.addCleanup(door.close)
        return door

    def fake(self, answer, **where):
        door = FakeDoor(answer, **where)
        self.addCleanup(door.close)
        return door

    def say(self, box, *candidates, **more):
        box.reach(door_key=raw_key(self.key), candidates=list(candidates), **more)

    def found(self, box, timeout=30.0):
        """The first `verify` in which nothing is open, by address and port."""
        while True:
            message = box.verify(timeout)
            if all("state" in candidate for candidate in message["candidates"]):
                return {(c["address"], c["port"]): (c["state"], c.get("text", "")) for c in message["candidates"]}

    def one(self, box, door, kind="mapped", **more):
        self.say(box, {"kind": kind, "address": door.address, "port": door.port, **more})
        return self.found(box)[(door.address, door.port)]

    def ask(self, box, *words):
        done = run(self.wrap(self.alice.argv("relay", "ticket", box.name, *words)))
        return json.loads(done.stdout)

    def status(self, box):
        return json.loads(self.relay.ctl("status", box.name, "--json"))

    def test_the_right_door(self):
        box = self.machine()
        self.assertEqual(self.ask(box)["ways"], [])
        door = self.fake(signer(self.key))
        self.assertEqual(self.one(box, door, "observed"), ("verified", ""))
        self.assertEqual(len(door.asked), 1)
        answer = self.ask(box)
        self.assertEqual([(way["route"], way["address"], way["port"]) for way in answer["ways"]],
                         [("direct", "45.0.1.3", door.port)])
        self.assertFalse(answer.get("reason") or answer.get("punch_ticket"))
        self.assertEqual(self.status(box)["route"], "direct")
        # Said once more, it is not asked once more; with another key it is.
        self.say(box, {"kind": "observed", "address": door.address, "port": door.port}, trouble="something new")
        box.reach(door_key=encode(os.urandom(32)),
                  candidates=[{"kind": "observed", "address": door.address, "port": door.port}])
        self.assertEqual(self.found(box)[(door.address, door.port)][0], "failed")
        self.assertEqual(len(door.asked), 2)
        self.assertEqual(self.ask(box)["ways"], [])

    def test_what_is_not_the_right_door(self):
        def other(connection, line):
            signer(Ed25519PrivateKey.generate())(connection, line)

        def unsigned(connection, _line):
            connection.sendall(b"SALLY1 ok " + encode(bytes(64)).encode() + b"\n")

        def replay(connection, _line):
            signature = self.key.sign(b"sallyport proof 1\0another ticket")
            connection.sendall(f"SALLY1 ok {encode(signature)}\n".encode())

        def endless(connection, _line):
            while True:
                connection.sendall(b"SALLY1 ok " + b"A" * 65536)

        answers = [other, unsigned, replay, endless,
                   lambda c, _: c.sendall(b"SALLY1 no\n"), lambda c, _: c.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"),
                   lambda c, _: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), lambda _c, _: None,
                   lambda c, _: c.sendall(b"\x00\xff\n"), lambda c, line: c.sendall(line.encode() + b"\n")]
        for answer in answers:
            box = self.machine()
            state, text = self.one(box, self.fake(answer))
            self.assertEqual(state, "failed")
            self.assertIn("something else than this machine answers", text)
            self.assertIn("something else", self.ask(box)["reason"])

    def test_ports_where_nothing_is(self):
        box = self.machine()
        closed = free_port()
        self.say(box, {"kind": "mapped", "address": "45.0.1.3", "port": closed},
                 {"kind": "mapped", "address": "45.0.1.77", "port": 4000},
                 {"kind": "mapped", "address": "44.0.0.1", "port": 4000})
        found = self.found(box)
        self.assertIn("refuses connections", found[("45.0.1.3", closed)][1])
        self.assertIn("the router said yes, but nothing arrives", found[("45.0.1.77", 4000)][1])
        self.assertIn("cannot be reached from the relay", found[("44.0.0.1", 4000)][1])

    def test_a_door_that_is_silent(self):
        silent = self.fake(lambda _connection, _line: time.sleep(60))
        began = time.monotonic()
        state, text = self.one(self.machine(), silent)
        self.assertEqual(state, "failed")
        self.assertIn("does not answer there", text)
        self.assertLess(time.monotonic() - began, 30)  # the door is silent for a minute

    def test_where_the_relay_never_connects_to(self):
        yes = signer(self.key)
        never = [
            (self.fake(yes, address="10.9.9.3"), "mapped"), (self.fake(yes, address="45.0.1.2", namespace="relay"), "mapped"),
            (self.fake(yes, address="127.0.0.1", namespace="relay"), "mapped"),
            (self.fake(yes, address="10.9.9.2", namespace="relay"), "mapped"),
            (self.fake(yes, address="45.0.1.4"), "observed"), (self.fake(yes, address="45.0.1.4"), "ipv6")]
        box = self.machine()
        self.say(box, *[{"kind": kind, "address": door.address, "port": door.port} for door, kind in never],
                 {"kind": "mapped", "address": "127.0.0.1", "port": 2222},
                 {"kind": "mapped", "address": "45.0.1.2", "port": 2222})
        found = self.found(box)
        self.assertTrue(found)
        for door, _kind in never:
            self.assertEqual(found[(door.address, door.port)][0], "failed", found)
            self.assertTrue(found[(door.address, door.port)][1])
        # Nor does a LAN address get a visit, though everything else of it is right.
        lan = self.fake(yes)
        self.say(box, {"kind": "lan", "address": "45.0.1.3", "port": lan.port})
        time.sleep(3)
        self.assertEqual([len(door.asked) for door, _kind in never] + [len(lan.asked)], [0] * 7)

    def test_lan_addresses_are_for_those_at_home(self):
        box = self.machine()
        self.say(box, {"kind": "lan", "address": "192.168.1.20", "port": 4000})
        self.assertEqual([(way["route"], way["address"]) for way in self.ask(box)["ways"]], [("lan", "192.168.1.20")])
        done = run(within("relay", [*self.alice.argv("-o", "HostName=45.0.1.2", "relay", "ticket", box.name)]))
        self.assertEqual(json.loads(done.stdout)["ways"], [])

    def test_a_client_that_does_not_get_through(self):
        box = self.machine()
        door = self.fake(signer(self.key))
        self.assertEqual(self.one(box, door)[0], "verified")
        key = self.ask(box)["ask_key"]

        def from_box(**question):
            with self.door() as relay:
                return relay.ask(key, self.world.public(self.alice.key), box=box.name, service="ssh", **question)

        failed = [{"address": door.address, "port": door.port}]
        self.assertEqual(len(from_box()["ways"]), 1)
        answer = from_box(failed=failed, punch=True)
        self.assertEqual(answer["ways"], [])
        self.assertTrue(answer["reason"])
        self.assertTrue(answer["punch_ticket"])
        wait_for("a new proof", lambda: len(door.asked) == 2)
        for _ in range(5):
            from_box(failed=failed)
        time.sleep(2)
        self.assertEqual(len(door.asked), 2)

    def test_who_may_meet_whom(self):
        box = self.machine()
        self.say(box)
        for user_at, machine_at, meets in (("45.0.1.3", "45.0.1.4", True), ("45.0.1.3", "45.0.1.3", True),
                                           ("10.9.9.3", "45.0.1.3", False), ("45.0.1.3", "10.9.9.3", False)):
            user, machine = self.door(user_at), self.door(machine_at)
            user.say("punch", self.ask(box)["punch_ticket"])
            machine.say("punch", box.link.until("punch")["ticket"])
            said = user.line(), machine.line()
            if meets:
                self.assertEqual(said, tuple(f"SALLY1 ok {at[0]} {at[1]}" for at in (machine.socket.getsockname(),
                                                                                    user.socket.getsockname())))
            else:
                self.assertTrue(all(line.startswith("SALLY1 no ") for line in said), said)
                self.assertNotIn("10.9.9.3", "".join(said))

    def test_nobody_scans_through_the_relay(self):
        box = self.machine()
        doors = [self.fake(signer(self.key)) for _ in range(8)]
        for round_ in range(4):
            self.say(box, *[{"kind": "mapped", "address": door.address, "port": door.port} for door in doors],
                     trouble=str(round_))
            time.sleep(2)
            box.reach(door_key=encode(os.urandom(32)), candidates=[])
        self.assertLess(sum(len(door.asked) for door in doors), 16)

    def test_sshd_by_its_host_key(self):
        host_key, other_key = self.world.key("sshd-host"), self.world.key("sshd-other")
        port = free_port()
        config = self.world.path("sshd.conf")
        config.write_text(f"Port {port}\nListenAddress 45.0.1.3\nHostKey {host_key}\nPidFile none\nStrictModes no\n"
                          "PasswordAuthentication no\n", encoding="utf-8")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        sshd = self.world.start("sshd", within("box", [find_program("sshd"), "-D", "-e", "-f", config]), clean_end=False)
        sshd.wait_line("Server listening")
        candidate = {"kind": "mapped", "address": "45.0.1.3", "port": port, "to": "sshd"}
        box = self.machine(host_keys=[self.world.public(host_key)])
        self.say(box, candidate)
        self.assertEqual(self.found(box)[("45.0.1.3", port)], ("verified", ""))
        self.assertEqual(self.ask(box)["ways"][0]["to"], "sshd")
        box = self.machine(host_keys=[self.world.public(other_key)])
        self.say(box, candidate)
        self.assertIn("something else", self.found(box)[("45.0.1.3", port)][1])
        box = self.machine()
        self.say(box, candidate)
        self.assertIn("which host keys", self.found(box)[("45.0.1.3", port)][1])

    def test_the_machines_clock(self):
        box = self.machine(time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)))
        self.assertGreater(self.status(box)["clock_offset_s"], 3500)
        self.relay.process.wait_line(f"the clock of {box.name} is .* ahead of ours")


if __name__ == "__main__":
    unittest.main()
