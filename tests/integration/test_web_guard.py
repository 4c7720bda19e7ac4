"""What one visitor must not be able to do to the others: take all places, fill the audit, use up what is shared."""
import contextlib
import json
import socket
import sqlite3
import threading
import time
import unittest

from lib import STRETCH, Case, Person, Relay, wait_for
from lib.app import App
from lib.web import Visitor, Wire

DESCRIPTORS = 1200
PLACES = DESCRIPTORS // 6  # connections of browsers that the relay keeps with so many


class NarrowRelay(Relay):
    """With few descriptors, so that a small crowd is a crowd."""

    def argv(self):
        return ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", "--", *super().argv()]


class Crowd(Case):
    @classmethod
    def begin(cls):
        cls.relay = NarrowRelay(cls.world)
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.browser = Visitor(cls.relay, source="127.0.7.7").log_in(cls.alice)

    def crowd(self, n, sent, source="127.0.9.9", tls=False):
        """So many connections, each of which has sent that and reads nothing."""
        wires = []
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for number in range(n):
            address = source if isinstance(source, str) else source(number)
            with contextlib.suppress(OSError):
                wire = stack.enter_context(Wire(self.relay.port, tls=tls, source=address))
                wire.send(sent)
                wires.append(wire)
        return wires

    def check_others(self):
        """Another one's browser and another one's ssh are served."""
        for _ in range(5):
            self.assertEqual(self.browser.ask("/api/v1/me").status, 200)
        self.assertEqual(self.alice.verb("whoami").returncode, 0)

    def test_resting_connections_leave_descriptors_to_others(self):
        self.crowd(DESCRIPTORS + 200, f"GET /healthz HTTP/1.1\r\nHost: localhost:{self.relay.port}\r\n\r\n".encode(), "127.0.0.1")
        self.check_others()

    def test_a_busy_crowd_is_pushed_out(self):
        sent = f"POST /api/v1/logout HTTP/1.1\r\nHost: localhost:{self.relay.port}\r\nContent-Length: 9\r\n\r\n".encode()
        self.crowd(PLACES + 100, sent, lambda n: f"127.0.{20 + n % 40}.1")
        self.check_others()


class Member(Case):
    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app")
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.world.at_end(cls.app.gate.set)

    def audit_rows(self):
        with contextlib.closing(sqlite3.connect(self.relay.state / "relay.db")) as registry:
            return registry.execute("SELECT count(*) FROM audit").fetchone()[0]

    def test_refusals_are_written_down_once(self):
        self.relay.ctl("grant", "bob", "box1/app")
        browser = Visitor(self.relay).log_in(self.bob)
        browser.enter("box1--app")
        self.assertEqual(browser.ask("/page", "box1--app").status, 200)
        self.relay.ctl("revoke", "bob", "box1/app")
        before = self.audit_rows()
        for _ in range(20):
            self.assertEqual(browser.ask("/page", "box1--app").status, 404)
            self.assertEqual(browser.ask("/metrics").status, 403)
        self.assertLessEqual(self.audit_rows() - before, 2)

    def test_codes_of_others_are_left_alone(self):
        self.relay.ctl("grant", "bob", "box1/app")
        alice, bob = (Visitor(self.relay).log_in(person) for person in (self.alice, self.bob))
        code = alice.code("box1--app")
        with bob.wire() as wire:
            for _ in range(520):
                wire.send(bob.request("/open/box1/app"))
                self.assertEqual(wire.answer().status, 303)
        self.assertEqual(alice.ask(code, "box1--app").status, 302)


class Stuck(Case):
    """A service that takes no connection: each way to it stays half open."""

    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.full = socket.socket()
        cls.full.bind(("127.0.0.1", 0))
        cls.full.listen(0)
        cls.world.at_end(cls.full.close)
        port = cls.full.getsockname()[1]
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n[service stuck]\nport = {port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app")
        cls.fill = []
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
            cls.fill.append(one)
            cls.world.at_end(one.close)
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)

    def test_it_all(self):
        print(self.relay.ctl("status", "box1"))
        self.relay.ctl("grant", "bob", "box1")
        bob = Visitor(self.relay).log_in(self.bob)
        for s in ("box1--app", "box1--stuck"):
            print(bob.enter(s).status)
        wires = []
        for n in range(30):
            w = bob.wire("box1--stuck")
            w.send(bob.request("/x%d" % n, "box1--stuck", method="POST" if n % 2 else "GET", body=b"x" * 100 if n % 2 else b""))
            wires.append(w)
        time.sleep(1)
        for w in wires[:10]:
            w.close()
        time.sleep(0.5)
        self.relay.ctl("revoke", "bob", "box1")
        for w in wires[10:]:
            print(w.rest()[:60])
            w.close()
        print(bob.ask("/page", "box1--app").status)
        self.relay.ctl("grant", "bob", "box1")
        wires = []
        for n in range(10):
            w = bob.wire("box1--stuck")
            w.send(bob.request("/x%d" % n, "box1--stuck"))
            wires.append(w)
        w = bob.wire("box1--app"); w.send(bob.request("/page", "box1--app")); print(w.answer().status)
        w.send(bob.request("/wait", "box1--app"))
        e = bob.wire()
        for _ in range(3):
            e.send(bob.request("/api/v1/me")); e.answer()
        e.send(bob.request("/api/v1/events")); e.head()
        time.sleep(.5)
        self.app.gate.set()
        t = time.monotonic()
        self.relay.process.stop()
        print("stopped in", time.monotonic() - t)
        self.relay.start()


if __name__ == "__main__":
    unittest.main()
