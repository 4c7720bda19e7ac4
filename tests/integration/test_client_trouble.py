"""The client in trouble: machines that are gone, rights that ended, host keys that changed."""
import os
import re
import signal
import socket
import time
import unittest

from lib import STRETCH, Agent, Case, Relay, Sshd, echo, wait_for
from lib.client import Client, command_lines, fingerprint, lan, service_config


class Trouble(Case):
    """Each said clearly, and over when it is over; a machine and a user for each test."""

    def setUp(self):
        self.number = getattr(type(self), "count", 0) + 1
        type(self).count = self.number
        self.box, self.name = f"box{self.number}", f"user{self.number}"
        self.sshd = Sshd(self.world, f"sshd{self.number}")
        self.agent = Agent(self.world, self.box, self.relay,
                           f"[service ssh]\nport = {self.sshd.port}\n{service_config(echo=self.echo.port)}")
        self.agent.join()
        self.agent.start("ssh")
        self.relay.wait_online(self.box, "ssh", "echo")
        self.client = Client(self.world, self.name, self.relay, self.sshd)
        self.relay.ctl("grant", self.name, self.box)

    def tearDown(self):
        self.assertEqual(self.client.questions(), "", "the user was asked for something")
        self.agent.process.stop()

    @classmethod
    def begin(cls):
        lan()
        cls.echo = cls.world.serve(echo)
        cls.relay = Relay(cls.world)

    def works(self, *more):
        done = self.client.run("ssh", self.box, "echo hello", *more)
        self.assertEqual((done.returncode, done.stdout), (0, "hello\n"), done.stderr)

    def works_again(self):
        """The machine takes no ticket that was made in the second in which a right ended."""
        wait_for("the way in", lambda: self.client.run("ssh", self.box, "true").returncode == 0)
        self.works()

    def fails(self, *words):
        done = self.client.run("ssh", *(words or (self.box, "echo hello")))
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_a_machine_that_is_not_there_or_not_for_us(self):
        other = Agent(self.world, f"secret{self.number}", self.relay, f"[service ssh]\nport = {self.sshd.port}\n")
        other.join()
        other.start("ssh")
        said = [self.fails(name, "true").replace(name, "NAME") for name in ("nobox", other.name)]
        self.assertIn("NAME", said[0])
        self.assertEqual(said[0], said[1])
        self.assertIn("'ls' shows those that you may see", self.client.run("status", "nobox").stderr)
        other.process.stop()

    def test_an_agent_that_is_killed_and_comes_back(self):
        self.works()
        self.agent.process.kill()
        self.relay.wait_offline(self.box)
        self.assertRegex(self.fails(), rf"{self.box} is offline since")
        self.agent.start("ssh")
        self.works()

    def test_a_relay_that_is_restarted(self):
        self.works()
        self.relay.restart()
        wait_for("the way to be back", lambda: self.client.run("ssh", self.box, "true").returncode == 0, 60)

    def test_without_the_relay_it_is_said(self):
        self.works()
        self.relay.process.stop()
        self.assertIn("relay", self.fails())
        done = self.client.run("ls")
        self.assertEqual(done.returncode, 1)
        self.assertIn("relay", done.stderr)
        self.relay.start()
        self.relay.wait_online(self.box, "ssh", timeout=60)

    def test_a_right_that_ends(self):
        self.works()
        process = self.client.start("ssh", self.box, "echo began; sleep 1000")
        process.wait_line("began")
        self.relay.ctl("revoke", self.name, self.box)
        self.assertNotEqual(process.wait(), 0)
        self.assertIn(self.box, self.fails())
        self.relay.ctl("grant", self.name, self.box)
        self.works_again()

    def test_a_user_that_is_disabled(self):
        self.works()
        self.relay.ctl("user", "disable", self.name)
        self.fails()
        self.assertEqual(self.client.run("ls").returncode, 1)
        self.relay.ctl("user", "enable", self.name)
        self.works_again()

    def test_a_forward_that_is_no_more_for_us(self):
        self.works()
        process, port = self.client.forward(f"{self.box}/echo")
        self.assertNotIn("through the relay", process.text())
        self.relay.ctl("revoke", self.name, self.box)
        # The agent ends what is open; then the client asks again.
        self.assertEqual(process.wait(), 1, process.text())
        self.assertIn(self.box, process.text())
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()

    def test_a_forward_through_the_relay_that_is_no_more_for_us(self):
        other = Client(self.world, f"other{self.number}", self.relay)
        self.relay.ctl("grant", other.name, self.box)
        process, port = other.forward(f"{self.box}/echo")
        self.assertIn("through the relay", process.text())
        self.assertTrue(self.echoes(port))
        self.relay.ctl("revoke", other.name, self.box)
        self.assertFalse(self.echoes(port))
        process.interrupt()

    def echoes(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=30 * STRETCH) as connection:
            connection.settimeout(30 * STRETCH)
            connection.sendall(b"hello")
            return connection.recv(5) == b"hello"

    def test_a_forward_outlives_a_restart_of_the_relay(self):
        process, port = self.client.forward(f"{self.box}/echo")
        self.relay.restart()
        self.relay.wait_online(self.box, "ssh", "echo", timeout=60)
        wait_for("the local port to lead there", lambda: self.echoes(port), 120)
        self.assertEqual(process.interrupt(), 0)

    def test_host_keys_that_changed_are_refused_until_they_are_trusted(self):
        self.works()
        old = fingerprint(self.sshd.host_key)
        self.sshd.process.stop()
        for suffix in ("", ".pub"):
            os.unlink(f"{self.sshd.host_key}{suffix}")
        self.world.key(f"sshd{self.number}-host")
        self.sshd.start()
        self.agent.process.stop()
        self.agent.start("ssh")
        new = fingerprint(self.sshd.host_key)
        said = self.fails()
        for word in (old, new, f"sallyport trust {self.box}"):
            self.assertIn(word, said)
        self.fails()
        self.client.do("trust", self.box)
        self.works()

    def test_a_machine_in_the_middle_is_refused(self):
        """Something else answers at the machine's ssh port, with a key of its own, and the agent has not noticed."""
        self.works()
        port = self.sshd.port
        self.sshd.process.stop()
        other = self.world.key(f"other-{self.number}")
        config = self.sshd.config.read_text(encoding="utf-8").replace(str(self.sshd.host_key), str(other))
        self.sshd.config.write_text(config, encoding="utf-8")
        self.sshd.start()
        self.assertEqual(port, self.sshd.port)
        self.assertRegex(self.fails(), r"(?i)host key|identification")

    def test_a_damaged_memory_is_none(self):
        self.works()
        for path in self.client.state.iterdir():
            if path.name.startswith("routes"):
                path.write_bytes(b"\0garbage{")
        self.works()

    def test_ctrl_c_ends_an_ssh(self):
        process = self.client.start("ssh", self.box, "-tt", "echo began; sleep 1000")
        process.wait_line("began")
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        process.wait()
        self.assertLess(time.monotonic() - began, 20 * STRETCH)

    def test_secrets_stand_in_no_log_and_on_no_command_line(self):
        self.works()
        process = self.client.start("ssh", self.box, "echo began; sleep 1000", env={"SALLYPORT_DEBUG": "1"})
        process.wait_line("began")
        secrets = {(self.client.state / "ask_key").read_text(encoding="ascii").strip()}
        secrets.update(re.findall(r'"knock": ?"([^"]+)"',
                                  (self.client.state / "routes.json").read_text(encoding="utf-8")))
        secrets.update(key for key in (self.client.state / "id_ed25519").read_text(encoding="ascii").split("\n")[1:-2])
        self.assertTrue(all(len(secret) >= 20 for secret in secrets), secrets)
        texts = [self.relay.process.text(), self.agent.process.text(), process.text(), *command_lines()]
        self.assertFalse([text for text in texts if any(secret in text for secret in secrets)])
        process.stop()


if __name__ == "__main__":
    unittest.main()
