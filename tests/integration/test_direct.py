"""The agent's own door: its port, what it says of itself, what ends with what, and the machine that has none."""
import json
import socket
import time
import unittest

from lib import Agent, Case, Person, Relay, Sshd, free_port, run, wait_for
from lib.client import LAN_ADDRESS, Client, lan
from lib.door import Door


@unittest.skipUnless(lan(), "only in a network of its own")
class Direct(Case):
    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def ticket(self, box="box1"):
        done = self.alice.verb("ticket", box)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def way(self, box="box1"):
        """An answer with a way to that door, once the relay knows of it."""
        return wait_for("a way to the door", lambda: (lambda said: said["ways"] and said)(self.ticket(box)))

    def banner(self, door):
        self.assertEqual(door.line(), "SALLY1 ok")
        self.assertEqual(door.rest(8), b"SSH-2.0-")

    def test_a_stream_by_the_door(self):
        said = self.way()
        way = said["ways"][0]
        self.assertEqual((way["route"], way["address"], way["to"]), ("lan", LAN_ADDRESS, "door"))
        with Door(way["port"], host=LAN_ADDRESS) as door:
            self.assertEqual(door.tell("knock", said["knock"]), "SALLY1 ok")
            door.say("raw", said["door_ticket"], b"SSH-2.0-test\r\n")
            self.banner(door)
            wait_for("the stream to be counted", lambda: self.agent.status()["direct"]["stream_count"] == 1)
        self.agent.process.wait_line(f"alice comes to ssh from {LAN_ADDRESS}")
        with Door(way["port"], host=LAN_ADDRESS) as door:
            self.assertEqual(door.tell("raw", said["door_ticket"]), "SALLY1 no this ticket was used already")

    def test_the_port_is_kept_and_the_secrets_are_not(self):
        before = self.way()
        self.agent.process.stop()
        with self.assertRaises(ConnectionRefusedError):
            Door(before["ways"][0]["port"], host=LAN_ADDRESS)
        self.agent.start("ssh")
        after = self.way()
        self.assertEqual(after["ways"], before["ways"])
        self.assertNotEqual(after["knock"], before["knock"])
        # What an earlier start of the agent may have seen opens nothing.
        with Door(after["ways"][0]["port"], host=LAN_ADDRESS) as door:
            door.say("knock", before["knock"])
            self.assertTrue(door.is_closed())
        with Door(after["ways"][0]["port"], host=LAN_ADDRESS) as door:
            door.say("raw", after["door_ticket"])
            self.banner(door)

    def test_streams_live_through_the_loss_of_the_trunk_and_end_with_the_agent(self):
        said = self.way()
        with Door(said["ways"][0]["port"], host=LAN_ADDRESS) as door:
            door.say("raw", said["door_ticket"])
            self.banner(door)
            self.relay.restart()
            self.relay.wait_online("box1", "ssh")
            self.assertEqual(self.agent.status()["direct"]["stream_count"], 1)
            began = time.monotonic()
            self.agent.process.stop()
            self.assertLess(time.monotonic() - began, 15)
            while door.socket.recv(65536):
                pass
        self.agent.start("ssh")

    def test_the_host_key_of_a_private_sshd(self):
        key = self.world.public(self.sshd.host_key).split()[:2]
        wait_for("the relay to know the sshd's host key",
                 lambda: [line.split()[:2] for line in self.ticket()["host_keys"]] == [key])

    def test_the_status_in_words(self):
        self.way()
        text = self.agent.try_status().stdout
        port = self.agent.status()["direct"]["door_port"]
        self.assertIn("Ways in without the tunnel:", text)
        self.assertRegex(text, rf"lan +{LAN_ADDRESS} port {port} ")
        self.assertIn("trouble", text)

    def other(self, name, config):
        agent = Agent(self.world, name, self.relay, f"[main]\n{config}\n[service ssh]\nport = {self.sshd.port}\n")
        agent.join()
        agent.start("ssh")
        return agent

    def test_without_a_door_streams_are_fetched(self):
        agent = self.other("box2", "direct = off")
        said = wait_for("a ticket for the relay's door",
                        lambda: (lambda said: said.get("relay_ticket") and said)(self.ticket("box2")))
        self.assertEqual((said["ways"], said.get("door_ticket", "")), ([], ""))
        self.assertIn("direct = off", said["reason"])
        self.assertNotIn("door_port", agent.status()["direct"])
        listening = run(["ss", "-Hltnp"]).stdout
        self.assertNotIn(f"pid={agent.process.pid},", listening)
        with Door(self.relay.port) as door:
            door.say("raw", said["relay_ticket"])
            self.banner(door)

    def test_a_port_that_is_taken(self):
        port = free_port()
        with socket.create_server(("127.0.0.1", port)):
            agent = self.other("box3", f"door_port = {port}")
            agent.process.wait_line(f"door_port = {port}: ")
            self.assertIn(f"door_port = {port}", agent.status()["direct"]["trouble"])
            self.assertEqual(agent.status()["direct"]["candidates"], [])
        wait_for("the door to be opened", lambda: agent.status()["direct"].get("door_port") == port, timeout=40)
        self.assertEqual(self.way("box3")["ways"][0]["port"], port)

    def test_sshd_itself_only_without_passwords(self):
        sshd = Sshd(self.world, "sshd-with-passwords", "Match All\nPasswordAuthentication yes")
        agent = Agent(self.world, "box4", self.relay, f"[main]\ndirect = sshd\n[service ssh]\nport = {sshd.port}\n")
        agent.join()
        agent.start("ssh")
        wait_for("the passwords to be noticed", lambda: "PasswordAuthentication no" in
                 agent.status()["direct"]["trouble"])
        agent.process.stop()
        agent.write_config(f"[main]\ndirect = sshd\n[service ssh]\nport = {self.sshd.port}\n")
        agent.start("ssh")
        wait_for("sshd to be found good", lambda: "passwords" not in agent.status()["direct"].get("trouble", ""))
        # The neighbours come to sshd, too; by the door when it does not listen there, as here.
        said = wait_for("the way to sshd", lambda: (lambda said: len(said["ways"]) == 2 and said)(self.ticket("box4")))
        door = agent.status()["direct"]["door_port"]
        self.assertEqual([(way["route"], way["address"], way["port"], way["to"]) for way in said["ways"]],
                         [("lan", LAN_ADDRESS, self.sshd.port, "sshd"), ("lan", LAN_ADDRESS, door, "door")])
        client = Client(self.world, "bert", self.relay, self.sshd, admin=True)
        self.assertEqual(client.do("ssh", "box4", "echo inside"), "inside\n")
        agent.process.wait_line(f"bert comes to ssh from {LAN_ADDRESS}")

    def test_sshd_itself_for_the_neighbours(self):
        sshd = Sshd(self.world, "sshd-for-all", f"ListenAddress {LAN_ADDRESS}")
        agent = Agent(self.world, "box5", self.relay, f"[main]\ndirect = sshd\n[service ssh]\nport = {sshd.port}\n")
        agent.join()
        agent.start("ssh")
        wait_for("the way to sshd", lambda: any(way["to"] == "sshd" for way in self.ticket("box5")["ways"]))
        client = Client(self.world, "carl", self.relay, sshd, admin=True)
        done = client.run("ssh", "-v", "box5", "echo inside")
        self.assertEqual((done.returncode, done.stdout), (0, "inside\n"), done.stderr)
        self.assertIn(f"route: lan, {LAN_ADDRESS} port {sshd.port}", done.stderr)
        self.assertNotIn("carl comes to ssh", agent.process.text())
        # It knows the host key from the relay: nobody was asked.
        self.assertEqual(client.questions(), "")


if __name__ == "__main__":
    unittest.main()
