"""Slow clients and idle ones, many of them: whoever is not slow is served all the while."""
import json
import os
import re
import resource
import subprocess
import threading
import time
import unittest

from lib import SANITIZED, STRETCH, Case, Person, end_popen, find_program, wait_for
from lib.app import App
from lib.web import Visitor, Wire

SLOW = 400
# Browsers have 256 streams to one machine: so many leave room for others, and more are refused.
SLOW_TO_SERVICE = 200
TOO_MANY = 300
IDLE = 2000


class Watch:
    """Another client, from another address: asks /healthz, the API and a page of a service, again and again, each on a
    connection of its own, and one more on a connection that stays."""

    def __init__(self, browser, service):
        self.browser = browser
        self.service = service
        self.answers = 0
        self.wrong = []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _run(self):
        stays = self.browser.wire()
        while not self.done.wait(0.1):
            for target in ("/healthz", "/api/v1/machines"):
                self._note(target, self.browser.ask, target)
            if self.service:
                self._note("/page", self.browser.ask, "/page", self.service)
            self._note("on the connection that stays", self._on, stays)
        stays.close()

    def _on(self, wire):
        wire.send(self.browser.request("/api/v1/me"))
        return wire.answer()

    def _note(self, what, ask, *words):
        try:
            status = ask(*words).status
        except (OSError, EOFError, AssertionError) as error:
            status = repr(error)
        if status == 200:
            self.answers += 1
        else:
            self.wrong.append((what, status))


class Load(Case):
    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.browser = Visitor(cls.relay, source="127.0.7.7").log_in(cls.alice)
        cls.browser.enter("box1--app")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        cls.world.at_end(cls.app.gate.set)
        hosts = cls.world.path("hosts")
        hosts.write_text("127.0.0.1 localhost box1--app.localhost\n", encoding="ascii")

    def slowhttptest(self, target, service, *options):
        """Until it ends by itself; it has its own /etc/hosts, where the service's name is known."""
        unshare = ["unshare", "--mount"] + (["--map-root-user"] if os.getuid() != 0 else [])
        script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        argv = [*unshare, "sh", "-c", script, "sh", str(self.world.path("hosts")), find_program("slowhttptest"),
                "-c", str(SLOW_TO_SERVICE if service else SLOW), "-r", "200", "-l", "30", "-p", "10", "-v", "1",
                *options]
        argv += ["-u", self.browser.origin(service) + target]
        popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True)
        self.world.at_end(lambda: end_popen(popen))
        return popen

    def attack(self, target, service, *options):
        before = self.relay.process.memory()
        self.relay.process.reset_peak()
        attack = self.slowhttptest(target, service, *options)
        with Watch(self.browser, "box1--app") as watch:
            said, _ = attack.communicate(timeout=120 * STRETCH)
        self.assertEqual(attack.returncode, 0, said)
        said = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
        most = max(int(count) for count in re.findall(r"^connected: +(\d+)", said, re.MULTILINE))
        self.assertGreater(most, (SLOW_TO_SERVICE if service else SLOW) // 2, "that was no attack")
        self.assertNotRegex(said, r"service available: +NO")
        self.check(watch)
        return self.relay.process.peak() - before

    def check(self, watch):
        self.assertEqual(watch.wrong, [])
        self.assertGreater(watch.answers, 50)

    def test_slow_headers(self):
        self.attack("/", None, "-H", "-i", "2", "-x", "24")

    def test_slow_bodies_on_our_pages(self):
        self.attack("/", None, "-B", "-i", "2", "-s", "8192", "-x", "10", "-t", "POST")

    def test_slow_bodies_to_a_service(self):
        """GET has no need of an Origin, and may have a body: these get as far as the machine."""
        self.attack("/echo", "box1--app", "-B", "-i", "2", "-s", "8192", "-x", "10", "-t", "GET",
                    "-j", self.browser.cookies["box1--app"])
        self.assertGreater(len(self.app.seen("/echo")), SLOW_TO_SERVICE // 2)

    def test_slow_uploads_come_through(self):
        """However slow they are, as long as they go on."""
        wires = []
        for _ in range(100):
            wire = self.browser.wire("box1--app")
            self.addCleanup(wire.close)
            wire.send(self.browser.request("/echo", "box1--app", "POST", body=b"x" * 1000)[:-900])
            wires.append(wire)
        with Watch(self.browser, "box1--app") as watch:
            for _ in range(10):
                time.sleep(1)
                for wire in wires:
                    wire.send(b"x")
        self.check(watch)
        wires[0].send(b"x" * 890)
        self.assertEqual(json.loads(wires[0].answer().text)["length"], 1000)

    def test_slow_readers_of_a_service(self):
        """Each could have 50 MB; what is not read stays at the machine."""
        grown = self.attack("/big?n=50000000", "box1--app", "-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32",
                            "-k", "3", "-j", self.browser.cookies["box1--app"])
        if not SANITIZED:
            self.assertLess(grown, SLOW_TO_SERVICE * 3 << 20, "more than two windows and a little for each")

    def test_more_streams_than_a_machine_may_have(self):
        """Then its services say so; everything else goes on, and they come back by themselves."""
        wires = []
        with Watch(self.browser, None) as watch:
            for _ in range(TOO_MANY):
                wire = self.browser.wire("box1--app")
                self.addCleanup(wire.close)
                wire.send(self.browser.request("/quiet", "box1--app"))
                wires.append(wire)
            statuses = [wire.head().status for wire in wires]
            answer = self.browser.ask("/page", "box1--app", fields=[("Accept", "text/html")])
            self.assertEqual(answer.status, 503)
            self.assertIn("box1", answer.text)
        self.assertEqual(sorted(set(statuses)), [200, 503])
        self.assertEqual(watch.wrong, [])
        for wire in wires:
            wire.close()
        wait_for("the service to be back", lambda: self.browser.ask("/page", "box1--app").status == 200)

    def test_slow_readers_of_our_pages(self):
        self.attack("/", None, "-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3")

    def check_idle(self, make):
        """With IDLE connections from many addresses, none of them that of the watch."""
        with Watch(self.browser, "box1--app") as watch:
            for number in range(IDLE):
                wire = make(f"127.1.{number % 20}.{1 + number % 200}")
                self.addCleanup(wire.close)
            time.sleep(10)
        self.check(watch)

    def test_idle_connections_that_say_nothing(self):
        self.check_idle(lambda source: Wire(self.relay.port, tls=False, source=source))

    def test_idle_connections_after_a_handshake(self):
        self.check_idle(lambda source: Wire(self.relay.port, source=source))

    def test_idle_connections_after_a_request(self):
        """Strangers that were served once and stay."""
        def make(source):
            wire = Wire(self.relay.port, source=source)
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: " + self.browser.host().encode() + b"\r\n\r\n")
            wire.answer()
            return wire
        self.check_idle(make)

    def test_idle_connections_to_a_service(self):
        """One browser that opens far more than browsers do, with a right to be there."""
        with Watch(self.browser, "box1--app") as watch:
            for _ in range(200):
                wire = self.browser.wire("box1--app")
                self.addCleanup(wire.close)
                wire.send(self.browser.request("/page", "box1--app"))
                wire.answer()
            time.sleep(5)
        self.check(watch)


if __name__ == "__main__":
    unittest.main()
