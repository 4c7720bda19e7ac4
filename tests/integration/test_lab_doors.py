"""Doors that face the internet: who has no good ticket gets nothing; what a machine claims takes the relay nowhere that
it should not go; a wrong clock; an sshd that offers passwords."""
import contextlib
import json
import os
import socket
import time
import unittest

from lab import net

net.seal()

from lab.places import MACHINE, Plan
from lab.plans import Row
from lab.town import NAME, PORT, Town
from lib import SANITIZED, STRETCH, Case, Link, Person, wait_for
from lib.door import Door, decode, encode

ROWS = [Row(Plan("igd2", pmp=False), {}, ""), Row(Plan("pcp", upnp=False), {}, ""),
        Row(Plan("silent", router="silent"), {}, ""), Row(Plan("igd1", igd1=True, pmp=False), {}, "")]
WRONG = 7001  # where nobody should ever come
CLOCK = os.environ.get("SALLYPORT_CLOCK_SHIFT", "")


def shifted(seconds):
    """The environment of a program with a wrong clock."""
    sanitizers = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"} if SANITIZED else {}
    return {**os.environ, **sanitizers, "LD_PRELOAD": CLOCK, "CLOCK_SHIFT_S": str(seconds)}


class Doors(Case):
    @classmethod
    def begin(cls):
        cls.town = Town(cls.world, ROWS, {"igd1": "direct = sshd\n"})
        cls.laptop = cls.town.laptop("open")
        cls.way = {}
        for name in ("igd2", "pcp"):
            cls.town.settle(name, True)
            cls.way[name] = cls.town.machines[name].verified()["mapped"]
        cls.old, cls.old_since = cls.laptop.ticket("igd2"), time.monotonic()

    def door(self, name="igd2", timeout=20.0):
        way = self.way[name]
        return self.town.places.open.inside(lambda: Door(way["port"], way["address"], timeout))

    def relay_door(self):
        return self.town.places.open.inside(lambda: Door(PORT, self.town.relay.address))

    def refused(self, door, mode, argument):
        """Neither let in nor kept waiting."""
        with door:
            said = door.tell(mode, argument)
            self.assertTrue(said == "" or said.startswith("SALLY1 no "), said)
            self.assertTrue(door.is_closed())

    def silent(self, name, mode, argument):
        """Whether the door closes without a byte."""
        with self.door(name) as door:
            door.say(mode, argument)
            return door.is_closed()

    # Who comes

    def test_a_scanner_sees_a_port_that_says_nothing(self):
        ticket = self.laptop.ticket("igd2")["door_ticket"]
        for said in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"SSH-2.0-x\r\n", b"\n",
                     b"SALLY1 raw\n", b"SALLY1 raw \n", b"SALLY2 raw " + ticket.encode() + b"\n",
                     b"SALLY1 dance " + ticket.encode() + b"\n", b"SALLY1 ask " + ticket.encode() + b"\n",
                     b"SALLY1 knock " + encode(bytes(16)).encode() + b"\n", b"SALLY1 raw " + b"A" * 2000,
                     b"SALLY1 serve " + ticket.encode() + b"\n", os.urandom(700) + b"\n"):
            # It may close before all of it has been said.
            with self.subTest(said=said[:40]), self.door() as door:
                with contextlib.suppress(OSError):
                    door.socket.sendall(said)
                    door.socket.shutdown(socket.SHUT_WR)
                self.assertTrue(door.is_closed())

    def test_silence_is_answered_by_silence(self):
        began = time.monotonic()
        with self.door(timeout=40) as door:
            self.assertTrue(door.is_closed())
        self.assertGreater(time.monotonic() - began, 5)

    def test_a_good_ticket_opens_once(self):
        ticket = self.laptop.ticket("igd2")["door_ticket"]
        with self.door() as door:
            self.assertEqual(door.tell("raw", ticket), "SALLY1 ok")
            self.assertEqual(door.rest(4), b"SSH-")
        self.refused(self.door(), "raw", ticket)

    def test_forged_tickets_open_nothing(self):
        answer = self.laptop.ticket("igd2")
        good = decode(answer["door_ticket"])
        for at in (0, 1, 5, 12, 30, 60, len(good) - 70, len(good) - 64, len(good) - 1):
            forged = bytearray(good)
            forged[at] ^= 1
            with self.subTest(at=at):
                self.assertTrue(self.silent("igd2", "raw", encode(bytes(forged))))
        for other in (good[:-1], good + b"x", good[:60], b""):
            with self.subTest(length=len(other)):
                self.assertTrue(self.silent("igd2", "raw", encode(other) or "-"))
        # Nothing of this has used the good one up.
        with self.door() as door:
            self.assertEqual(door.tell("raw", answer["door_ticket"]), "SALLY1 ok")

    def test_a_ticket_for_another_machine_opens_nothing(self):
        ticket = self.laptop.ticket("pcp")["door_ticket"]
        self.refused(self.door("igd2"), "raw", ticket)
        with self.door("pcp") as door:
            self.assertEqual(door.tell("raw", ticket), "SALLY1 ok")

    def test_tickets_are_good_for_half_a_minute(self):
        time.sleep(max(0.0, self.old_since + 37 - time.monotonic()))
        self.refused(self.door(), "raw", self.old["door_ticket"])
        self.refused(self.relay_door(), "raw", self.old["relay_ticket"])

    def test_the_relays_door(self):
        answer = self.laptop.ticket("igd2")
        forged = bytearray(decode(answer["relay_ticket"]))
        forged[-1] ^= 1
        for mode, argument in (("raw", encode(bytes(forged))), ("serve", answer["relay_ticket"]),
                               ("punch", answer["relay_ticket"]), ("knock", encode(bytes(16))),
                               ("prove", answer["relay_ticket"]), ("ask", "AAAA.BBBB")):
            with self.subTest(mode=mode):
                self.refused(self.relay_door(), mode, argument)
        fresh = self.laptop.ticket("igd2")
        with self.relay_door() as door:
            self.assertEqual(door.tell("raw", fresh["relay_ticket"]), "SALLY1 ok")
            self.assertEqual(door.rest(4), b"SSH-")
        self.refused(self.relay_door(), "raw", fresh["relay_ticket"])

    def test_whose_right_has_ended_does_not_get_in(self):
        relay, world = self.town.relay, self.world
        bob = Person(world, "bobby", relay, host=NAME)
        bob.within = self.town.places.open.argv()
        relay.ctl("grant", "bobby", "igd2/ssh")
        answer = json.loads(bob.verb("ticket", "igd2").stdout)
        self.assertNotIn("_ticket", bob.verb("ticket", "pcp").stdout)
        with self.door() as live:
            self.assertEqual(live.tell("raw", answer["door_ticket"]), "SALLY1 ok")
            self.assertEqual(live.rest(4), b"SSH-")
            kept = json.loads(bob.verb("ticket", "igd2").stdout)
            relay.ctl("revoke", "bobby", "igd2/ssh")
            live.socket.settimeout(10 * STRETCH)
            while live.socket.recv(4096):  # ends, or times out
                pass
        self.refused(self.door(), "raw", kept["door_ticket"])
        self.refused(self.relay_door(), "raw", kept["relay_ticket"])

    # Where the relay goes

    def test_the_relay_goes_only_where_it_may(self):
        relay = self.town.relay
        relay.namespace.ip("link add inner type veth peer name inner2", "addr add 10.9.8.7/24 dev inner",
                           "link set inner up", "link set inner2 up")
        foreign = net.address4(2)  # the laptop `open`
        never = [("mapped", "127.0.0.1"), ("mapped", "10.9.8.7"), ("mapped", relay.address), ("ipv6", "::1"),
                 ("ipv6", relay.address6), ("observed", foreign), ("ipv6", "::ffff:127.0.0.1")]
        with relay.namespace.listen(WRONG, "::") as own, self.town.places.open.listen(WRONG) as other:
            self.assertTrue(relay.namespace.reaches("10.9.8.7", WRONG), "somebody would answer there")
            own.accept()[0].close()
            link = self.hand_machine("liar1")
            link.send(kind="reach", fetch=False, door_key=encode(bytes(32)), knock=encode(bytes(16)),
                      candidates=[{"kind": kind, "address": address, "port": WRONG} for kind, address in never])
            wait_for("each to have failed", lambda: self.count_failed("liar1") == len(never), 40, 0.3)
            for listener in (own, other):
                listener.settimeout(1)
                with self.assertRaises(TimeoutError):
                    listener.accept()
            # What its router is said to have told is asked: so the silence above means something.
            link.send(kind="reach", fetch=False, door_key=encode(bytes(32)), knock=encode(bytes(16)),
                      candidates=[{"kind": "mapped", "address": foreign, "port": WRONG}])
            other.settimeout(20 * STRETCH)
            other.accept()[0].close()

    def test_another_machines_door_proves_nothing(self):
        way = self.way["igd2"]
        link = self.hand_machine("liar2")
        link.send(kind="reach", fetch=False, door_key=encode(bytes(32)), knock=encode(bytes(16)),
                  candidates=[{"kind": "mapped", "address": way["address"], "port": way["port"]}])
        wait_for("the proof to fail", lambda: self.count_failed("liar2") == 1, 40, 0.3)
        self.assertEqual(self.laptop.ticket("liar2").get("ways", []), [])

    def hand_machine(self, name):
        """The link of a machine that says what it likes, from the home whose router maps nothing."""
        relay = self.town.relay
        person = Person(self.world, name, relay, known=False, host=NAME)
        person.within = self.town.homes["silent"].machine.argv()
        relay.ctl("machine", "add", name, self.world.public(person.key))
        link = Link(person.argv("-T", "-s", "-R", "ssh:22:127.0.0.1:22", "relay", "sallyport"))
        self.world.at_end(link.close)
        link.send(kind="hello", protocol=1, name=name, ssh_host_keys=[])
        link.until("welcome")
        relay.wait_online(name, "ssh")
        return link

    def count_failed(self, name):
        status = json.loads(self.town.relay.ctl("status", name, "--json"))
        return sum(way["state"] == "failed" for way in status.get("reach", {}).get("candidates", []))

    # Clocks and passwords

    def test_wrong_clocks_are_told_and_do_no_harm(self):
        agent = self.town.machines["pcp"].agent
        for seconds, words in ((3600, "ahead"), (-3600, "behind")):
            with self.subTest(seconds=seconds):
                agent.process.stop()
                agent.env = shifted(seconds)
                agent.start("ssh")
                self.town.settle("pcp", True)
                self.assertEqual(self.laptop.ssh("pcp").route(), "direct")
                self.assertEqual(self.town.laptop("https").ssh("pcp").route(), "relayed")
                self.assertRegex(self.town.machines["pcp"].status(), f"(?i)clock.*{words}")
                self.assertRegex(self.town.relay.ctl("status", "pcp"), f"(?i)clock.*{words}")
                self.assertEqual(self.laptop.ssh("igd2", env=shifted(seconds)).route(), "direct")
        agent.process.stop()
        agent.env = None
        agent.start("ssh")
        self.way["pcp"] = self.town.settle("pcp", True)["mapped"]

    def test_sshd_itself_is_mapped_only_while_it_asks_for_no_passwords(self):
        machine, home = self.town.machines["igd1"], self.town.homes["igd1"]
        way = self.town.settle("igd1", True)["mapped"]
        self.assertEqual(home.router.mappings(), {way["port"]: (f"{home.router.inside}.{MACHINE}", 22)})
        self.assertEqual(self.laptop.ssh("igd1").route(), "direct")
        stock = self.laptop.person.ssh("-p", way["port"], way["address"], "echo", "without the relay")
        self.assertEqual(stock.stdout, "without the relay\n", stock.stderr)
        self.passwords("yes")
        machine.agent.process.stop()
        self.assertEqual(home.router.mappings(), {})
        machine.agent.start("ssh")
        wait_for("the agent to say why", lambda: "password" in machine.status(), 30, 0.3)
        self.assertEqual(home.router.mappings(), {})
        self.assertIn("password", self.town.relay.ctl("status", "igd1"))
        self.assertEqual(self.laptop.ssh("igd1").route(), "relayed")
        self.passwords("no")
        machine.agent.process.stop()
        machine.agent.start("ssh")
        self.town.settle("igd1", True)

    def passwords(self, offered):
        sshd = self.town.machines["igd1"].sshd
        sshd.process.stop()
        other = "no" if offered == "yes" else "yes"
        text = sshd.config.read_text(encoding="utf-8")
        sshd.config.write_text(text.replace(f"PasswordAuthentication {other}", f"PasswordAuthentication {offered}"),
                               encoding="utf-8")
        sshd.start()


if __name__ == "__main__":
    unittest.main()
