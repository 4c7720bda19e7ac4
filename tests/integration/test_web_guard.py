"""What one visitor must not be able to do to the others: take all places, fill the audit, use up what is shared."""
import contextlib
import re
import socket
import sqlite3
import unittest

from lib import STRETCH, Case, Person, Relay
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

    def head(self, method, target, *fields):
        lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{self.relay.port}", *fields]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def crowd(self, n, sent, source="127.0.9.9", tls=False):
        """So many connections, each of which has sent that and reads nothing."""
        wires = []
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        for number in range(n):
            address = source if isinstance(source, str) else source(number)
            with contextlib.suppress(OSError):
                wire = stack.enter_context(Wire(self.relay.port, tls=tls, source=address))
                wire.socket.settimeout(0.02)
                wire.send(sent)
                wires.append(wire)
        return wires

    def check_others(self):
        """Another one's browser and another one's ssh are served."""
        for _ in range(5):
            self.assertEqual(self.browser.ask("/api/v1/me").status, 200)
        self.assertEqual(self.alice.verb("whoami").returncode, 0)

    def test_resting_connections_leave_descriptors_to_others(self):
        self.crowd(DESCRIPTORS + 200, self.head("GET", "/healthz"), "127.0.0.1")
        # Half for browsers that are there, an eighth each for guests and for those that are leaving.
        self.assertLess(self.relay.process.descriptors(), DESCRIPTORS * 7 // 8)
        self.check_others()

    def test_a_busy_crowd_is_pushed_out(self):
        """Each of them owes the rest of a body, and they come from many networks."""
        self.crowd(PLACES + 100, self.head("POST", "/api/v1/logout", "Content-Length: 9"), lambda n: f"127.0.{20 + n % 40}.1")
        self.check_others()

    def test_a_crowd_at_the_door_is_pushed_out(self):
        self.crowd(PLACES + 100, b"GET / HT", lambda n: f"127.0.{20 + n % 40}.1")
        self.check_others()

    def test_a_known_crowd_leaves_places_to_other_networks(self):
        """Somebody who is logged in, with nothing but streams that never end."""
        wires = []
        for name in ("carol", "dave", "erin", "frank"):
            person = Person(self.world, name, self.relay)
            browser = Visitor(self.relay, source="127.0.9.9").log_in(person)
            wires += self.crowd(60, browser.request("/api/v1/events"), tls=True)
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

    def refusals(self):
        with contextlib.closing(sqlite3.connect(self.relay.state / "relay.db")) as registry:
            return registry.execute("SELECT count(*) FROM audit WHERE outcome = 'refused'").fetchone()[0]

    def test_refusals_are_written_down_once(self):
        self.relay.ctl("grant", "bob", "box1/app")
        browser = Visitor(self.relay).log_in(self.bob)
        browser.enter("box1--app")
        self.assertEqual(browser.ask("/page", "box1--app").status, 200)
        self.relay.ctl("revoke", "bob", "box1/app")
        before = self.refusals()
        for _ in range(20):
            self.assertEqual(browser.ask("/page", "box1--app").status, 404)
            self.assertEqual(browser.ask("/metrics").status, 403)
        self.assertLessEqual(self.refusals() - before, 2)

    def test_a_machine_is_not_used_up_by_browsers(self):
        """One who may reach a single page, again and again on connections that rest, and on some that wait."""
        self.relay.ctl("grant", "bob", "box1/app")
        bob = Visitor(self.relay, tls=False).log_in(self.bob)
        bob.enter("box1--app")
        waiting = []
        for target, count, statuses in (("/page", 560, {200}), ("/wait", 256, None), ("/page", 300, {200, 503})):
            for _ in range(count):
                wire = bob.wire("box1--app")
                self.addCleanup(wire.close)
                wire.send(bob.request(target, "box1--app"))
                if statuses:
                    self.assertIn(wire.answer().status, statuses)
                else:
                    waiting.append(wire)
        alice = Visitor(self.relay, tls=False).log_in(self.alice)
        alice.enter("box1--app")
        self.assertEqual(alice.ask("/page", "box1--app").status, 200)
        _, (port,) = self.alice.forward(f"box1:{self.sshd.port}")
        with socket.create_connection(("127.0.0.1", port), timeout=20 * STRETCH) as way:
            self.assertTrue(way.recv(8).startswith(b"SSH-2.0"))
        self.app.gate.set()
        for wire in waiting:
            self.assertIn(wire.answer().status, {200, 503})

    def test_codes_of_others_are_left_alone(self):
        self.relay.ctl("grant", "bob", "box1/app")
        alice, bob = (Visitor(self.relay).log_in(person) for person in (self.alice, self.bob))
        code = alice.code("box1--app")
        with bob.wire() as wire:
            for _ in range(520):
                wire.send(bob.request("/open/box1/app"))
                self.assertEqual(wire.answer().status, 303)
        self.assertEqual(alice.ask(code, "box1--app").status, 302)


class Links(Case):
    """A link to a page of a service, for one who has no session there yet."""

    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app")
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.browser = Visitor(cls.relay).log_in(cls.alice)

    def follow(self, target):
        """Where one is in the end."""
        html = [("Accept", "text/html")]
        self.browser.cookies.pop("box1--app", None)
        for service in ("box1--app", None, "box1--app"):
            answer = self.browser.ask(target, service, fields=html)
            self.assertIn(answer.status, (302, 303), (service, len(target)))
            target = re.sub("^https://[^/]*", "", answer.get("Location"))
        return target

    def test_tabs_that_open_together_do_not_end_each_other(self):
        """A browser that begins with the tabs of yesterday: each goes its way before the others are there."""
        codes = [self.browser.code("box1--app") for _ in range(4)]
        cookies = []
        for code in codes:
            answer = self.browser.ask(code, "box1--app", cookie=None)
            self.assertEqual(answer.status, 302)
            cookies.append(self.browser.cookies["box1--app"])
        for cookie in cookies:
            self.assertEqual(self.browser.ask("/page", "box1--app", cookie=cookie).status, 200)

    def test_a_link_leads_to_its_page(self):
        for target in ("/echo", "/echo?q=%22a%22&b=c%2Fd", "/echo?" + "x" * 700):
            self.assertEqual(self.follow(target), target)

    def test_no_link_is_too_long(self):
        """At worst it leads to the first page."""
        for filling in ("x", "%22"):
            for length in (990, 1000, 1010, 1500, 2030, 2040, 2050, 8000):
                target = "/page?" + (filling * length)[:length]
                self.assertIn(self.follow(target), (target, "/"))


class Stuck(Case):
    """A service that takes no connection: each way to it stays half open."""

    @classmethod
    def begin(cls):
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        cls.world.at_end(full.close)
        port = full.getsockname()[1]
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(f"[service stuck]\nport = {port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "stuck")
        for _ in range(4):
            one = socket.socket()
            cls.world.at_end(one.close)
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.relay.ctl("grant", "bob", "box1")

    def setUp(self):
        self.browser = Visitor(self.relay).log_in(self.bob)
        self.browser.enter("box1--stuck")
        self.wires = []
        for number in range(20):
            wire = self.browser.wire("box1--stuck")
            self.addCleanup(wire.close)
            how = {"method": "POST", "body": b"half of it"} if number % 2 else {}
            wire.send(self.browser.request("/", "box1--stuck", **how))
            self.wires.append(wire)

    def test_a_right_ends_while_the_way_is_being_opened(self):
        for wire in self.wires[:10]:
            wire.close()
        self.relay.ctl("revoke", "bob", "box1")
        self.addCleanup(self.relay.ctl, "grant", "bob", "box1")
        for wire in self.wires[10:]:
            self.assertTrue(wire.ended())
        self.assertEqual(self.browser.ask("/", "box1--stuck").status, 404)

    def test_the_relay_stops_while_the_way_is_being_opened(self):
        listening = self.browser.wire()
        self.addCleanup(listening.close)
        listening.send(self.browser.request("/api/v1/events"))
        self.assertEqual(listening.head().status, 200)
        self.relay.restart()
        self.assertEqual(self.browser.ask("/api/v1/me").status, 200)


if __name__ == "__main__":
    unittest.main()
