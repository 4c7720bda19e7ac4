"""Things that break and come back: agent, relay, sshd, a frozen peer, and two machines that claim one name."""
import shutil
import socket
import time
import unittest

from lib import STRETCH, Agent, Case, Person, echo, wait_for

# A dead path has to be noticed within 20 s; the rest is for the question itself on a busy test machine.
NOTICED = 20.0
GRACE = 4.0


class Recovery(Case):
    @classmethod
    def begin(cls):
        cls.echo = cls.world.serve(echo)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service echo]\nport = {cls.echo.port}\nkind = tcp\n")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def setUp(self):
        if not self.relay.process.alive():
            self.relay.start()
        if not self.agent.process.alive():
            self.agent.start()
        self.relay.wait_online("box1", "ssh", "echo")

    def connected(self):
        return self.agent.status()["state"] == "connected"

    def login(self):
        return self.alice.ssh("-J", "relay", "box1", "echo in")

    def check_login(self, timeout=40.0):
        """Logs in, again and again until it works: for the time just after something came back."""
        def works():
            done = self.login()
            return done.returncode == 0 and done.stdout == "in\n"
        wait_for("a login through the relay", works, timeout, pause=0.3)

    def test_agent_killed_and_back(self):
        self.check_login()
        self.agent.process.kill()
        self.relay.wait_offline("box1", 10)
        done = self.login()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("box1", done.stderr)
        self.agent.start("ssh")
        self.assertEqual(self.login().returncode, 0)

    def test_agent_killed_and_back_at_once(self):
        """The new one takes the old one's place, whether the relay has seen the old one die or not."""
        for _ in range(5):
            self.agent.process.kill()
            self.agent.start("ssh")
            self.assertEqual(self.login().returncode, 0)

    def test_agent_stopped_says_goodbye(self):
        self.assertEqual(self.agent.process.stop(), 0)
        self.relay.wait_offline("box1", 12)

    def test_relay_killed_and_back(self):
        self.relay.process.kill()
        wait_for("the agent to see it", lambda: not self.connected(), 20)
        time.sleep(2)
        self.relay.start()
        self.check_login()
        self.assertTrue(self.agent.process.alive())

    def test_relay_restarted_in_order(self):
        self.relay.restart()
        self.check_login()

    def test_sshd_restarted(self):
        self.sshd.process.stop()
        self.assertNotEqual(self.login().returncode, 0)
        self.sshd.start()
        self.check_login()

    def test_streams_of_a_killed_agent_end_at_once(self):
        process, [port] = self.alice.forward(f"box1:{self.echo.port}")
        self.addCleanup(process.stop)

        with socket.create_connection(("127.0.0.1", port), timeout=20 * STRETCH) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            self.agent.process.kill()
            self.assertEqual(connection.recv(1), b"")

    def test_frozen_agent_is_noticed(self):
        began = time.monotonic()
        self.agent.process.pause()
        try:
            self.relay.wait_offline("box1", 60)
            self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)
            done = self.login()
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("box1", done.stderr)
        finally:
            self.agent.process.resume()
        self.check_login()

    def test_frozen_relay_is_noticed(self):
        began = time.monotonic()
        self.relay.process.pause()
        try:
            wait_for("the agent to notice", lambda: not self.connected(), 60)
            self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)
        finally:
            self.relay.process.resume()
        self.check_login()

    def test_two_agents_with_one_name(self):
        """The newer one wins, nothing hangs, and the relay keeps serving whichever it is."""
        twin = Agent(self.world, "box1-twin", self.relay, self.agent.config.read_text(encoding="utf-8"))
        shutil.rmtree(twin.state)
        shutil.copytree(self.agent.state, twin.state, ignore=shutil.ignore_patterns("*.sock", "lock"))
        twin.start()
        self.addCleanup(twin.process.stop)
        replaced = r"took its place|replaced by a newer connection"
        wait_for("one of the two to be told", lambda: any(
            process.wait_line(replaced, 1) for process in (self.agent.process, twin.process)), 30)
        logins = [self.login().returncode for _ in range(5)]
        self.assertIn(0, logins)
        machine = self.relay.machine("box1")
        self.assertEqual(len([name for name in self.relay.machines() if name == "box1"]), 1)
        self.assertTrue(machine["online"] or "since" in machine)
        twin.process.stop()
        self.check_login()

    def test_a_second_agent_on_the_same_state_is_refused(self):
        second = self.world.start("second-agent", [*self.agent.process.argv], clean_end=False)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(self.agent.state), second.text())
        self.assertTrue(self.agent.process.alive())

    def test_a_second_relay_on_the_same_state_is_refused(self):
        second = self.world.start("second-relay", [*self.relay.process.argv], clean_end=False)
        self.assertNotEqual(second.wait(), 0)
        self.assertIn(str(self.relay.state), second.text())
        self.check_login()


if __name__ == "__main__":
    unittest.main()
