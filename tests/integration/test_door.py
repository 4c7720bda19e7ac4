"""The relay's door: questions, tickets, streams that are spliced, meetings, and whoever abuses it."""
import hashlib
import json
import os
import socket
import sqlite3
import ssl
import threading
import time
import unittest
import urllib.request

from lib import STRETCH, Agent, Case, Person, Relay, Sshd, wait_for
from lib.door import Door, HandMachine, decode, encode

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuCkShA17D3LHaCwrgrcXqwImz7+w52uKBNld749+do"
OTHER_KEY = ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrY"
             "MjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=")


class AtDoor(Case):
    """A relay, box1 by hand, alice the admin, bob with box1/ssh."""

    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.box = HandMachine(cls.world, "box1", cls.relay,
                              ("ssh:22:127.0.0.1:9", "jupyter:8888:127.0.0.1:9", "git:23:127.0.0.1:9"),
                              (OTHER_KEY, HOST_KEY))
        cls.box.link.send(kind="services", services=[
            {"name": "ssh", "kind": "ssh", "port": 22, "state": "up"},
            {"name": "git", "kind": "ssh", "port": 23, "state": "down"},
            {"name": "jupyter", "kind": "http", "port": 8888, "state": "up"}])
        cls.box.reach()
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.bob = cls.member("bob", "box1/ssh")

    @classmethod
    def member(cls, name, *grants):
        person = Person(cls.world, name, cls.relay)
        for grant in grants:
            cls.relay.ctl("grant", name, grant)
        return person

    def door(self, **how):
        door = Door(self.relay.port, **how)
        self.addCleanup(door.close)
        return door

    def ticket(self, person, what="box1"):
        """What the verb answers."""
        done = person.verb("ticket", what)
        return json.loads(done.stdout)

    def ask(self, person, ask_key, **question):
        return self.door().ask(ask_key, self.world.public(person.key), **question)

    def stream(self, person, box=None):
        """A spliced stream from end to end: the person's door and the machine's, both just after their `ok`."""
        box = box or self.box
        user = self.door()
        user.say("raw", self.ticket(person, box.name)["relay_ticket"])
        call = box.link.until("open")
        machine, said = box.fetch(call["ticket"])
        self.addCleanup(machine.close)
        self.assertEqual((said, user.line()), ("SALLY1 ok", "SALLY1 ok"))
        return user, machine

    def audit(self):
        with sqlite3.connect(f"file:{self.relay.state / 'relay.db'}?mode=ro", uri=True) as db:
            return db.execute("SELECT actor, action, object, outcome, detail FROM audit ORDER BY id").fetchall()


class Asking(AtDoor):
    def test_the_verb_tells_the_ways(self):
        answer = self.ticket(self.bob, "box1/ssh")
        self.assertEqual((answer["box"], answer["service"], answer["kind"], answer["port"]), ("box1", "ssh", "ssh", 22))
        self.assertEqual(answer["ways"], [])
        self.assertEqual(answer["host_keys"], [HOST_KEY, OTHER_KEY])
        self.assertEqual(len(decode(answer["ask_key"])), 32)
        self.assertEqual(len(decode(answer["knock"])), 16)
        self.assertEqual(answer["observed_address"], "127.0.0.1")
        self.assertNotEqual(answer["door_ticket"], answer["relay_ticket"])
        self.assertTrue(answer["reason"])
        self.assertIn(("bob", "ticket", "box1/ssh", "ok", "127.0.0.1"), self.audit())

    def test_the_door_answers_the_same(self):
        first = self.ticket(self.bob)
        door, public = self.door(), self.world.public(self.bob.key)
        for _ in range(3):  # one connection may ask again
            answer = door.ask(first["ask_key"], public, box="box1", service="ssh")
            self.assertEqual(answer["host_keys"], first["host_keys"])
            self.assertNotEqual(answer["relay_ticket"], first["relay_ticket"])
            self.assertNotIn("ask_key", answer)
        self.assertIn("punch_ticket", door.ask(first["ask_key"], public, box="box1", service="ssh", punch=True))
        self.assertNotIn("punch_ticket", answer)

    def test_refusals_say_as_much_as_ssh_does(self):
        unknown = self.ticket(self.bob, "box9")["error"]
        self.assertIn("there is no machine 'box9' that you may reach", unknown)
        stranger = self.member("carl")
        self.assertEqual(self.ticket(stranger, "box1")["error"], unknown.replace("box9", "box1"))
        self.assertIn("publishes no service 'jupyter' that you may reach",
                      self.ticket(self.bob, "box1/jupyter")["error"])
        self.assertIn("is down", self.ticket(self.alice, "box1/git")["error"])
        self.relay.ctl("machine", "add", "box8", self.world.public(self.world.key("box8")))
        self.assertIn("box8 is offline", self.ticket(self.alice, "box8")["error"])
        done = self.bob.verb("ticket", "box9")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no machine", done.stderr)
        key = self.ticket(self.bob)["ask_key"]
        self.assertEqual(self.ask(self.bob, key, box="box9", service="ssh")["error"], unknown)

    def test_other_kinds_have_no_tickets(self):
        answer = self.ticket(self.alice, "box1/jupyter")
        self.assertEqual((answer["kind"], answer["port"], answer["ways"]), ("http", 8888, []))
        self.assertIn("only services of kind ssh", answer["reason"])
        for secret in ("door_ticket", "relay_ticket", "punch_ticket", "knock"):
            self.assertFalse(answer.get(secret))

    def test_the_operator_gets_no_tickets(self):
        answer = json.loads(self.relay.ctl("ticket", "box1"))
        self.assertEqual(answer["port"], 22)
        for secret in ("door_ticket", "relay_ticket", "ask_key", "knock"):
            self.assertFalse(answer.get(secret))

    def test_a_question_said_again_is_not_answered(self):
        key, public = self.ticket(self.bob)["ask_key"], self.world.public(self.bob.key)
        door = self.door()
        sealed = door.seal(key, public, {"box": "box1", "service": "ssh"})
        self.assertTrue(door.tell("ask", sealed).startswith("SALLY1 ok "))
        self.assertEqual(self.door().tell("ask", sealed), "")

    def test_questions_that_are_none(self):
        key, public = self.ticket(self.bob)["ask_key"], self.world.public(self.bob.key)
        other = self.world.public(self.alice.key)
        good = {"box": "box1", "service": "ssh"}
        probe = self.door()
        mine = probe.seal(key, public, good)
        for wrong in (probe.seal(encode(os.urandom(32)), public, good),  # another secret
                      probe.seal(key, other, good),                      # another's key
                      mine[:-1], mine + "A", mine.replace(".", ""), "." + mine, mine.split(".", 1)[0] + ".",
                      mine[:60] + ("A" if mine[60] != "A" else "B") + mine[61:],
                      probe.seal(key, public, b"{}"), probe.seal(key, public, b"[]"), probe.seal(key, public, b""),
                      probe.seal(key, public, b'{"box":"../x","service":"ssh"}')):
            with self.subTest(wrong=wrong[-40:]):
                self.assertEqual(self.door().tell("ask", wrong), "")
        unknown = probe.seal(key, self.world.public(self.world.key("nobody")), good)
        self.assertTrue(self.door().tell("ask", unknown).startswith("SALLY1 no "))
        # A machine's key is none of a user's.
        machine = probe.seal(key, self.world.public(self.box.person.key), good)
        self.assertTrue(self.door().tell("ask", machine).startswith("SALLY1 no "))

    def test_who_is_locked_out_gets_no_answer(self):
        dora = self.member("dora", "box1/ssh")
        key = self.ticket(dora)["ask_key"]
        public = self.world.public(dora.key)
        self.assertTrue(self.ask(dora, key, box="box1", service="ssh")["relay_ticket"])
        self.relay.ctl("user", "disable", "dora")
        door = self.door()
        self.assertTrue(door.tell("ask", door.seal(key, public, {"box": "box1"})).startswith("SALLY1 no "))
        self.relay.ctl("user", "enable", "dora")
        self.relay.ctl("revoke", "dora", "box1/ssh")
        self.assertIn("there is no machine", self.ask(dora, key, box="box1", service="ssh")["error"])
        self.relay.ctl("user", "remove", "dora")
        door = self.door()
        self.assertTrue(door.tell("ask", door.seal(key, public, {"box": "box1"})).startswith("SALLY1 no "))

    def test_an_agent_that_does_not_fetch(self):
        box = HandMachine(self.world, "box2", self.relay)
        box.reach(fetch=False)
        answer = self.ticket(self.alice, "box2")
        self.assertFalse(answer.get("relay_ticket"))
        self.assertTrue(answer["door_ticket"])
        box.link.send(kind="reach", fetch=True, candidates=[])
        box.link.settle()
        answer = self.ticket(self.alice, "box2")
        self.assertTrue(answer["relay_ticket"])
        self.assertFalse(answer.get("knock") or answer.get("door_ticket"))


class Spliced(AtDoor):
    def test_bytes_both_ways_and_half_close(self):
        user, machine = self.stream(self.bob)
        blob = os.urandom(1 << 20) * 24
        digests = []

        def pour(door):
            door.socket.sendall(blob)
            door.socket.shutdown(socket.SHUT_WR)

        def drain(door):
            digest, count = hashlib.sha256(), 0
            while chunk := door.socket.recv(1 << 16):
                digest.update(chunk)
                count += len(chunk)
            digests.append((count, digest.digest()))

        threads = [threading.Thread(target=work, args=(door,)) for door in (user, machine) for work in (pour, drain)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 * STRETCH)
        self.assertEqual(digests, [(len(blob), hashlib.sha256(blob).digest())] * 2)

    def test_what_was_sent_behind_the_line_arrives(self):
        user = self.door()
        user.say("raw", self.ticket(self.bob)["relay_ticket"], b"SSH-2.0-early\r\n")
        ticket = self.box.link.until("open")
        self.assertEqual((ticket["user"], ticket["service"]), ("bob", "ssh"))
        machine = self.door()
        machine.say("serve", ticket["ticket"], b"SSH-2.0-server\r\n")
        self.assertEqual(machine.line(), "SALLY1 ok")
        self.assertEqual(machine.rest(15), b"SSH-2.0-early\r\n")
        self.assertEqual(user.line(), "SALLY1 ok")
        self.assertEqual(user.rest(16), b"SSH-2.0-server\r\n")
        user.socket.shutdown(socket.SHUT_WR)
        self.assertTrue(machine.is_closed())
        machine.socket.sendall(b"last words")
        self.assertEqual(user.rest(10), b"last words")

    def test_a_line_byte_by_byte(self):
        user = self.door()
        for byte in f"SALLY1 raw {self.ticket(self.bob)['relay_ticket']}\r\n".encode():
            user.socket.sendall(bytes([byte]))
        machine, said = self.box.fetch(self.box.link.until("open")["ticket"])
        self.assertEqual((said, user.line()), ("SALLY1 ok", "SALLY1 ok"))
        machine.close()

    def test_audit_and_counters(self):
        before = len(self.audit())
        user, machine = self.stream(self.bob)
        user.socket.sendall(b"x" * 1000)
        machine.rest(1000)
        self.assertIn(("bob", "reach", "box1/ssh", "ok", "127.0.0.1"), self.audit()[before:])
        self.assertIn('sallyport_spliced_streams_open 1', self.metrics())
        user.close()
        self.assertTrue(machine.is_closed())
        machine.close()
        wait_for("the stream to be counted", lambda: "sallyport_spliced_streams_open 0" in self.metrics())
        self.assertRegex(self.metrics(), r'sallyport_spliced_bytes_total\{direction="to_machines"\} [1-9]')

    def metrics(self):
        if not hasattr(type(self), "token"):
            type(self).token = self.alice.verb("key", "add", "--api", "test").stdout.strip().split()[-1]
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(f"https://localhost:{self.relay.port}/metrics",
                                         headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, context=context, timeout=20 * STRETCH) as answer:
            return answer.read().decode()

    def refused(self, mode, ticket, text):
        self.assertIn(text, self.door().tell(mode, ticket))

    def test_tickets_that_do_not_count(self):
        ticket = self.ticket(self.bob)["relay_ticket"]
        body = bytearray(decode(ticket))
        for at in (0, 1, 5, 20, 40, 70, len(body) - 1):
            forged = bytes(body[:at]) + bytes([body[at] ^ 1]) + bytes(body[at + 1:])
            self.refused("raw", encode(forged), "SALLY1 no this is no ticket")
        for junk in ("x", ticket[:-1], ticket + "A", "A" * 200):
            self.refused("raw", junk, "SALLY1 no this is no ticket")
        self.refused("serve", ticket, "SALLY1 no this ticket is for something else")
        self.refused("punch", ticket, "SALLY1 no this ticket is for something else")
        user = self.door()
        user.say("raw", ticket)
        call = self.box.link.until("open")["ticket"]
        self.refused("raw", ticket, "SALLY1 no this ticket was used already")
        self.refused("raw", call, "SALLY1 no this ticket is for something else")
        machine, said = self.box.fetch(call)
        self.assertEqual(said, "SALLY1 ok")
        self.refused("serve", call, "SALLY1 no this ticket was used already")
        machine.close()

    def test_a_refusal_arrives_whatever_was_sent_behind_the_line(self):
        for _ in range(20):
            user = self.door()
            user.say("raw", "x", b"SSH-2.0-eager\r\n" * 100000)
            self.assertIn("SALLY1 no this is no ticket", user.line())

    def test_a_ticket_of_another_relay_is_none(self):
        other = Relay(self.world, "other")
        box = HandMachine(self.world, "box1o", other)
        box.reach()
        eve = Person(self.world, "eve", other, admin=True)
        self.refused("raw", self.ticket(eve, "box1o")["relay_ticket"], "SALLY1 no this is no ticket")

    def test_rights_that_end_before_the_ticket_is_used(self):
        for verb, text in ((("revoke", "fay", "box1/ssh"), "no service ssh that you may reach"),
                           (("user", "disable", "fay"), "no service ssh that you may reach"),
                           (("user", "remove", "fay"), "no service ssh that you may reach")):
            fay = self.member("fay", "box1/ssh") if verb[0] == "revoke" else fay
            if verb[1] == "disable":
                self.relay.ctl("grant", "fay", "box1/ssh")
            if verb[1] == "remove":
                self.relay.ctl("user", "enable", "fay")
            ticket = self.ticket(fay)["relay_ticket"]
            self.relay.ctl(*verb)
            self.refused("raw", ticket, text)

    def test_a_lost_key_takes_its_tickets_with_it(self):
        gil = self.member("gil", "box1/ssh")
        second = self.world.public(self.world.key("gil-2"))
        self.relay.ctl("key", "add", "gil", second)
        ticket = self.ticket(gil)["relay_ticket"]
        line = self.relay.ctl("key", "list", "gil")
        fingerprint = [word for word in line.split() if word.startswith("SHA256:")][1]
        user, machine = self.stream(gil)
        self.relay.ctl("key", "remove", fingerprint)
        self.assertTrue(user.is_closed() and machine.is_closed())
        self.refused("raw", ticket, "no service ssh that you may reach")
        self.assertEqual(self.box.link.until("end")["user"], "gil")

    def test_a_right_that_ends_while_the_machine_is_called(self):
        hal = self.member("hal", "box1/ssh")
        user = self.door()
        user.say("raw", self.ticket(hal)["relay_ticket"])
        call = self.box.link.until("open")["ticket"]
        self.relay.ctl("revoke", "hal", "box1/ssh")
        machine, said = self.box.fetch(call)
        machine.close()
        self.assertIn("SALLY1 no ", said)
        self.assertIn("SALLY1 no ", user.line())

    def test_a_right_that_ends_ends_the_stream(self):
        ida = self.member("ida", "box1/ssh", "box1/jupyter")
        user, machine = self.stream(ida)
        began = time.monotonic()
        self.relay.ctl("revoke", "ida", "box1/ssh")
        self.assertTrue(user.is_closed() and machine.is_closed())
        self.assertLess(time.monotonic() - began, 10)
        end = self.box.link.until("end")
        self.assertEqual((end["user"], end.get("service")), ("ida", "ssh"))
        self.relay.ctl("revoke", "ida", "box1/jupyter")
        while end and end.get("service"):
            end = self.box.link.until("end")
        self.assertEqual(end["user"], "ida")

    def test_a_machine_that_comes_back_keeps_its_streams_and_hears_what_ended(self):
        box = HandMachine(self.world, "box3", self.relay)
        box.reach()
        joe = self.member("joe", "box3")
        user, machine = self.stream(joe, box)
        admin, serving = self.stream(self.alice, box)
        box.link.close()
        self.relay.wait_offline("box3")
        user.socket.sendall(b"still")
        self.assertEqual(machine.rest(5), b"still")
        kim = self.member("kim", "box3")
        self.relay.ctl("revoke", "kim", "box3")
        again = HandMachine(self.world, "box3", self.relay)
        again.link.send(kind="reach", fetch=True, candidates=[])
        # Whatever ended in the second in which it went is told, too.
        while (ended := again.link.until("end")["user"]) != "kim":
            self.assertNotEqual(ended, "joe")
        machine.socket.sendall(b"alive")
        self.assertEqual(user.rest(5), b"alive")
        self.relay.ctl("machine", "remove", "box3")
        for door in (user, machine, admin, serving):
            self.assertTrue(door.is_closed())

    def test_a_right_that_ended_before_the_relay_was_restarted(self):
        relay = Relay(self.world, "restarted-relay")
        box = HandMachine(self.world, "away", relay)
        box.reach()
        for name in ("lea", "moe", "noa"):
            relay.ctl("user", "add", name)
            relay.ctl("grant", name, "away")
        box.link.close()
        relay.wait_offline("away")
        relay.ctl("revoke", "lea", "away")
        relay.ctl("user", "disable", "noa")
        relay.restart()
        again = HandMachine(self.world, "away", relay)
        again.link.send(kind="reach", fetch=True, candidates=[])
        self.assertEqual({again.link.until("end")["user"], again.link.until("end")["user"]}, {"lea", "noa"})
        relay.ctl("revoke", "moe", "away")
        self.assertEqual(again.link.until("end")["user"], "moe")  # whose right had not ended before

    def test_a_machine_that_does_not_come(self):
        user = self.door()
        began = time.monotonic()
        user.say("raw", self.ticket(self.bob)["relay_ticket"])
        call = self.box.link.until("open")["ticket"]
        self.assertEqual(user.line(), "SALLY1 no box1 did not come within 10 s")
        self.assertGreater(time.monotonic() - began, 9)
        machine, said = self.box.fetch(call)
        machine.close()
        self.assertIn("SALLY1 no nobody waits", said)

    def test_a_machine_that_goes_while_it_is_called(self):
        box = HandMachine(self.world, "box4", self.relay)
        box.reach()
        user = self.door()
        user.say("raw", self.ticket(self.alice, "box4")["relay_ticket"])
        box.link.until("open")
        box.link.close()
        self.assertEqual(user.line(), "SALLY1 no the machine has lost its connection")
        user = self.door()
        self.assertIn("is offline", self.ticket(self.alice, "box4")["error"])

    def test_a_user_who_does_not_wait(self):
        user = self.door()
        user.say("raw", self.ticket(self.bob)["relay_ticket"])
        call = self.box.link.until("open")["ticket"]
        user.close()
        self.relay.process.wait_line("bob did not wait for box1")
        machine, said = self.box.fetch(call)
        machine.close()
        self.assertIn("SALLY1 no nobody waits", said)

    def test_a_machine_that_brings_anothers_ticket(self):
        """box5 gets hold of what box1 was sent: it stands for box1's stream, whoever brings it, so it is box1's secret;
        but what box5 was sent never fetches a stream of box1."""
        box = HandMachine(self.world, "box5", self.relay)
        box.reach()
        user, other = self.door(), self.door()
        user.say("raw", self.ticket(self.alice, "box1")["relay_ticket"])
        mine = self.box.link.until("open")["ticket"]
        other.say("raw", self.ticket(self.alice, "box5")["relay_ticket"])
        machine, said = box.fetch(box.link.until("open")["ticket"])
        self.assertEqual((said, other.line()), ("SALLY1 ok", "SALLY1 ok"))
        machine.socket.sendall(b"for the other one")
        self.assertEqual(other.rest(17), b"for the other one")
        right, said = self.box.fetch(mine)
        self.assertEqual((said, user.line()), ("SALLY1 ok", "SALLY1 ok"))
        right.close()
        machine.close()

    def test_each_gets_his_own(self):
        """Two wait for the same machine, which comes for the second one first."""
        first, second = self.door(), self.door()
        calls = []
        for door, person in ((first, self.alice), (second, self.bob)):
            door.say("raw", self.ticket(person)["relay_ticket"])
            calls.append(self.box.link.until("open"))
        self.assertEqual([call["user"] for call in calls], ["alice", "bob"])
        for door, call in reversed(list(zip((first, second), calls))):
            machine, said = self.box.fetch(call["ticket"])
            self.addCleanup(machine.close)
            self.assertEqual((said, door.line()), ("SALLY1 ok", "SALLY1 ok"))
            machine.socket.sendall(call["user"].encode())
            self.assertEqual(door.rest(len(call["user"])), call["user"].encode())

    def test_one_person_does_not_splice_without_end(self):
        held = []
        ludo = self.member("ludo", "box1/ssh")
        key = self.ticket(ludo)["ask_key"]
        while len(held) < 300:
            user = self.door()
            user.say("raw", self.ask(ludo, key, box="box1", service="ssh")["relay_ticket"])
            if len(held) == 256:
                self.assertIn("too many streams", user.line())
                break
            machine, said = self.box.fetch(self.box.link.until("open")["ticket"])
            held.append((user, machine))
            self.assertEqual((said, user.line()), ("SALLY1 ok", "SALLY1 ok"))
        self.assertEqual(len(held), 256)
        for pair in held:
            for door in pair:
                door.close()

    def test_one_person_does_not_take_all_places(self):
        doors = []
        refused = 0
        key = self.ticket(self.bob)["ask_key"]
        for _ in range(36):
            ticket = self.ask(self.bob, key, box="box1", service="ssh")["relay_ticket"]
            doors.append(self.door())
            doors[-1].say("raw", ticket)
        for door in doors[32:]:
            refused += "too many streams" in door.line()
        self.assertEqual(refused, 4)
        for door in doors:
            door.close()
        for _ in range(32):
            self.box.link.until("open")
        user, machine = self.stream(self.alice)
        machine.close()
        user.close()


class WithAgent(Case):
    """The same with a real agent and a real sshd."""

    @classmethod
    def begin(cls):
        cls.relay, cls.sshd = Relay(cls.world), Sshd(cls.world, more="LoginGraceTime 600")
        cls.agent = Agent(cls.world, "box1", cls.relay,
                          f"port_mapping = off\n[service ssh]\nport = {cls.sshd.port}\n")
        cls.agent.join()
        cls.agent.start("ssh")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def ticket(self):
        return json.loads(self.alice.verb("ticket", "box1").stdout)

    def fetched(self):
        """A stream that the agent came for, when the server's line is there."""
        ticket = wait_for("the agent's `reach`", lambda: self.ticket().get("relay_ticket"))
        door = Door(self.relay.port)
        self.addCleanup(door.close)
        door.say("raw", ticket, b"SSH-2.0-by_hand\r\n")
        self.assertEqual(door.line(), "SALLY1 ok")
        self.assertRegex(door.line(), r"^SSH-2\.0-OpenSSH")
        return door

    def test_the_agent_fetches(self):
        self.fetched()

    def test_a_stream_outlives_the_trunk(self):
        door = self.fetched()
        since = self.relay.machine("box1")["since"]
        self.relay.ctl("machine", "rename", "box1", "box7")
        self.relay.ctl("machine", "rename", "box7", "box1")
        self.assertEqual(self.relay.machine("box1")["since"], since)
        self.agent.process.pause()
        self.relay.wait_offline("box1", 60)
        self.agent.process.resume()
        self.relay.wait_online("box1", "ssh", timeout=60)
        door.socket.sendall(b"\0" * 64)  # no proper key exchange: sshd says so, through the same stream
        self.assertTrue(door.socket.recv(1))

    def test_the_services_end_ends_the_stream(self):
        door = self.fetched()
        door.socket.sendall(b"garbage instead of a key exchange" * 100)
        door.socket.shutdown(socket.SHUT_WR)
        try:
            while door.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass


class Meeting(AtDoor):
    def test_both_learn_where_the_other_one_is(self):
        user = self.door()
        user.say("punch", self.ticket(self.bob)["punch_ticket"])
        call = self.box.link.until("punch")
        self.assertEqual(call["user"], "bob")
        machine = self.door()
        here, there = user.socket.getsockname(), machine.socket.getsockname()
        self.assertEqual(machine.tell("punch", call["ticket"]), f"SALLY1 ok {here[0]} {here[1]}")
        self.assertEqual(user.line(), f"SALLY1 ok {there[0]} {there[1]}")
        self.assertTrue(user.is_closed() and machine.is_closed())

    def test_one_who_comes_alone(self):
        user = self.door()
        ticket = self.ticket(self.bob)["punch_ticket"]
        user.say("punch", ticket)
        self.box.link.until("punch")
        self.assertIn("SALLY1 no this ticket was used", self.door().tell("punch", ticket))
        self.assertEqual(user.line(), "SALLY1 no box1 did not come within 10 s")

    def test_a_machine_that_comes_too_late_meets_nobody(self):
        user = self.door()
        user.say("punch", self.ticket(self.bob)["punch_ticket"])
        call = self.box.link.until("punch")
        user.close()
        self.relay.process.wait_line("bob did not wait for box1")
        self.assertIn("SALLY1 no nobody waits", self.door().tell("punch", call["ticket"]))

    def test_a_right_that_ends_while_the_machine_is_called(self):
        mia = Person(self.world, "mia", self.relay)
        self.relay.ctl("grant", "mia", "box1/ssh")
        user = self.door()
        user.say("punch", self.ticket(mia)["punch_ticket"])
        call = self.box.link.until("punch")
        self.relay.ctl("revoke", "mia", "box1/ssh")
        machine = self.door()
        self.assertIn("SALLY1 no box1 has no service", machine.tell("punch", call["ticket"]))
        self.assertIn("SALLY1 no box1 has no service", user.line())


class Abused(AtDoor):
    def closes(self, data, timeout=20.0):
        door = self.door(timeout=timeout)
        try:
            door.socket.sendall(data)
        except OSError:
            return True
        return door.is_closed()

    def test_what_is_no_question_is_closed_without_a_byte(self):
        for data in (b"SALLY1\n", b"SALLY2 raw x\n", b"SALLY1 dance x\n", b"SALLY1 knock " + b"A" * 22 + b"\n",
                     b"SALLY1 prove x\n", b"SALLY1 raw \n", b"SALLY1 raw a b\n", b"SALLY1  raw x\n",
                     b"SALLY1 raw \x00\n", b"SALLYPORT\n", b"SALLY1 raw " + b"x" * 2000,
                     b"SALLY1 raw " + b"x" * 1100 + b"\n", b"SALLY1 RAW x\n"):
            with self.subTest(data=data[:30]):
                self.assertTrue(self.closes(data))

    def test_half_a_line_has_ten_seconds(self):
        began = time.monotonic()
        self.assertTrue(self.closes(b"SALLY1 raw abc"))
        self.assertGreater(time.monotonic() - began, 9)
        self.assertLess(time.monotonic() - began, 18)  # a guest has 20 s in all

    def test_all_questions_of_a_connection_have_a_bound(self):
        key, public = self.ticket(self.bob)["ask_key"], self.world.public(self.bob.key)
        door = self.door()
        answered = 0
        while door.tell("ask", door.seal(key, public, {"box": "box1", "service": "ssh"})):
            answered += 1
        self.assertEqual(answered, 16)

    def test_a_flood_does_not_shut_the_door(self):
        flood = [socket.create_connection(("127.0.0.1", self.relay.port)) for _ in range(600)]
        for connection in flood:
            connection.sendall(b"SALLY1 raw ")
        user, machine = self.stream(self.bob)
        user.socket.sendall(b"through")
        self.assertEqual(machine.rest(7), b"through")
        for connection in flood:
            connection.close()

    def test_descriptors_come_back(self):
        before = self.relay.process.descriptors()
        for _ in range(20):
            user, machine = self.stream(self.bob)
            user.close()
            self.assertTrue(machine.is_closed())
            machine.close()
        wait_for("all to be closed", lambda: self.relay.process.descriptors() <= before + 1)


if __name__ == "__main__":
    unittest.main()
