"""Whoever knocks at the port: garbage, silence, dribble, floods, and machines that speak the link wrongly."""
import json
import os
import resource
import socket
import threading
import time
import unittest

import lib
from lib import STRETCH, Case, Person, echo, wait_for

# PROTOCOL section 1: so long a connection has to say who it is; then a little for a busy test machine.
PATIENCE = 20.0
GRACE = 5.0


class Hostile(Case):
    @classmethod
    def begin(cls):
        cls.echo = cls.world.serve(echo)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service echo]\nport = {cls.echo.port}\nkind = tcp\n")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.relay.wait_online("box1", "ssh", "echo")

    def setUp(self):
        self.watched = self.alice.start("-W", f"box1:{self.echo.port}", "relay")
        self.check_watched()

    def tearDown(self):
        """After every attack: an old stream still flows, a new login works, and what was opened is closed again."""
        self.check_watched()
        self.watched.kill()
        self.watched.wait()
        done = self.alice.ssh("-J", "relay", "box1", "echo in")
        self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)
        self.assertTrue(self.relay.process.alive())

    def check_watched(self):
        self.watched.stdin.write(b"still there?")
        self.watched.stdin.flush()
        self.assertEqual(self.watched.stdout.read(12), b"still there?")

    def connect(self, source="127.0.0.1"):
        connection = socket.create_connection(("127.0.0.1", self.relay.port), timeout=(PATIENCE + GRACE) * STRETCH,
                                              source_address=(source, 0))
        self.addCleanup(connection.close)
        return connection

    def closes(self, connection):
        """Reads on until the relay closes; what it said. A TimeoutError when it does not within its patience."""
        said = b""
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass
        return said

    def test_garbage(self):
        banner = b"SSH-2.0-OpenSSH_9.2p1\r\n"
        for first in (b"\x00" * 100, b"\xff" * 100, b"SALLY" + b"x" * 100, os.urandom(4096), b"\r\n\r\n",
                      b"\x16\x03\x01" + os.urandom(500), b"\x16\xff\xff\xff\xff" * 50,
                      b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n",
                      b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                      b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
                      b"SSH-1.5-old\r\n", b"SSH-" + b"x" * 5000, b"SSH-2.0-\x00\xff\r\n", banner + os.urandom(5000),
                      banner + b"\xff\xff\xff\xff" + b"\x00" * 100, banner + b"\x00\x00\x00\x00" * 1000,
                      banner + b"\x00\x00\x00\x0c\x0a\x14" + b"\x00" * 10, banner * 3):
            with self.subTest(first=first[:24]):
                connection = self.connect()
                try:
                    connection.sendall(first)
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
                self.closes(connection)

    def test_random_garbage_many_times(self):
        for n in range(300):
            connection = self.connect()
            try:
                connection.sendall((b"SSH-2.0-x\r\n", b"\x16\x03\x01", b"GET ", b"")[n % 4] + os.urandom(n * 7))
            except OSError:
                pass
            connection.close()

    def test_silence_is_taken_for_ssh_and_then_closed(self):
        began = time.monotonic()
        connection = self.connect()
        self.assertTrue(connection.recv(256).startswith(b"SSH-2.0-"))
        self.assertGreater(time.monotonic() - began, 1.0)
        self.closes(connection)
        self.assertLess(time.monotonic() - began, (PATIENCE + GRACE) * STRETCH)

    def test_one_byte_a_second(self):
        """However they dribble, after its patience the relay closes; all of them at the same time."""
        texts = (b"SSH-2.0-dribble" + b"x" * 100 + b"\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100,
                 b"\x16\x03\x01\x02\x00\x01" + b"\x00" * 100, b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\n")
        lasted = {}
        def dribble(text, connection):
            began = time.monotonic()
            connection.settimeout(1.0)
            position = 0
            while time.monotonic() - began < 60 * STRETCH:
                try:
                    connection.sendall(text[position % len(text):position % len(text) + 1])
                    position += 1
                    while connection.recv(4096):
                        pass
                    break
                except TimeoutError:
                    continue
                except OSError:
                    break
            lasted[text] = time.monotonic() - began
        threads = [threading.Thread(target=dribble, args=(text, self.connect())) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for text in texts:
            self.assertLess(lasted[text], (PATIENCE + GRACE) * STRETCH, text[:20])

    def test_a_key_exchange_and_then_no_login(self):
        began = time.monotonic()
        client = self.alice.start("-o", "PreferredAuthentications=none", "-o", "ProxyCommand=none", "-v", "relay")
        client.wait(60 * STRETCH)
        self.assertLess(time.monotonic() - began, (PATIENCE + GRACE) * STRETCH)

    def test_ten_thousand_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        batch = max(200, min(2500, hard - 500))
        memory, descriptors = self.relay.process.memory(), self.relay.process.descriptors()
        opened = 0
        worst = 0
        while opened < 10000:
            held = []
            for n in range(min(batch, 10000 - opened)):
                connection = socket.socket()
                connection.setblocking(False)
                # Many addresses, so that a limit for one of them alone would not be enough; never that of the others.
                connection.bind((f"127.0.{1 + n % 50}.{1 + n % 200}", 0))
                connection.connect_ex(("127.0.0.1", self.relay.port))
                held.append(connection)
            opened += len(held)
            for n, connection in enumerate(held):
                try:
                    connection.send((b"", b"SSH-2.0-x\r\n", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n")[n % 4])
                except OSError:
                    pass
            self.check_watched()
            done = self.alice.ssh("-J", "relay", "box1", "echo in", timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)
            worst = max(worst, self.relay.process.memory() - memory)
            for connection in held:
                connection.close()
        self.assertLess(worst, 256 * STRETCH << 20, "memory is not bounded")
        wait_for("the relay to close what it held", lambda: self.relay.process.descriptors() < descriptors + 20, 60)

    def test_ten_thousand_connections_from_one_address(self):
        """One address alone cannot use up the relay: the others get in while it holds all it can."""
        held = []
        for _ in range(min(3000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 300)):
            connection = socket.socket()
            connection.setblocking(False)
            connection.bind(("127.9.9.9", 0))
            connection.connect_ex(("127.0.0.1", self.relay.port))
            held.append(connection)
        try:
            self.check_watched()
            done = self.alice.ssh("-J", "relay", "box1", "echo in")
            self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)
        finally:
            for connection in held:
                connection.close()

    def test_half_tls_handshakes_leave_the_page_alone(self):
        """More of them than the web front has places."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1500):
            connection = socket.create_connection(("127.0.0.1", self.relay.port), timeout=20 * STRETCH)
            self.addCleanup(connection.close)
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        done = lib.run(["curl", "-sSk", "--max-time", "20", f"https://localhost:{self.relay.port}/healthz"])
        self.assertEqual(done.stdout.strip(), "ok", done.stderr)

    def test_many_connections_by_somebody_with_a_key(self):
        clients = [self.alice.start("-N", "relay") for _ in range(60)]
        done = self.alice.ssh("-J", "relay", "box1", "echo in")
        self.assertEqual(done.returncode, 0, done.stderr)
        for client in clients:
            client.kill()

    def test_the_control_socket(self):
        for text in (b"", b"\n", b"hello\n", b"[]\n", b"{}\n", b'{"args":"list"}\n', b'{"args":[1]}\n', b"\xff\xfe\n",
                     b"[" * 5000 + b"\n", b'{"args":["' + b"a" * 2_000_000 + b'"]}\n',
                     b'{"args":' + json.dumps(["list"] * 5000).encode() + b"}\n"):
            with self.subTest(text=text[:20]), socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30 * STRETCH)
                connection.connect(str(self.relay.state / "ctl.sock"))
                try:
                    connection.sendall(text)
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = self.closes(connection)
                if answer:
                    self.assertNotEqual(json.loads(answer)["exit"], 0)
        silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for connection in silent:
            connection.connect(str(self.relay.state / "ctl.sock"))
        self.assertIn("box1", self.relay.ctl("list"))
        for connection in silent:
            connection.close()


HELLO = {"kind": "hello", "protocol": 1, "version": "9.9.9", "name": "mock1", "boot_id": "b", "hostname": "h",
         "ssh_host_keys": []}


class LinkLines(Case):
    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.machine = Person(cls.world, "mock1", cls.relay, known=False)
        cls.relay.ctl("machine", "add", "mock1", cls.world.public(cls.machine.key))
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def open(self, hello=True):
        link = self.machine.link()
        if hello:
            link.send(**HELLO)
            self.assertEqual(link.until("welcome")["protocol"], 1)
        return link

    def expect_end(self, link):
        """An error is said, then the link ends."""
        said = link.ended()
        self.assertTrue(said, "closed without a word")
        self.assertEqual(said[-1]["kind"], "error")
        self.assertTrue(said[-1]["text"])

    def test_hello_and_ping(self):
        link = self.open()
        link.send(kind="ping", n=7)
        self.assertEqual(link.until("pong")["n"], 7)

    def test_welcome_says_what_protocol_says(self):
        link = self.open(hello=False)
        link.send(**HELLO)
        welcome = link.until("welcome")
        self.assertEqual(welcome["observed_address"], "127.0.0.1")
        self.assertRegex(welcome["server_time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertTrue(welcome["version"])

    def test_a_newer_peer_is_served(self):
        link = self.open(hello=False)
        link.send(**{**HELLO, "protocol": 99}, colour="green", nested={"a": [1, 2, {"b": None}]})
        self.assertEqual(link.until("welcome")["protocol"], 1)

    def test_an_unknown_kind_is_answered(self):
        link = self.open()
        link.send(kind="sing", song="la")
        self.assertEqual(link.until("unknown")["of"], "sing")
        link.send(kind="unknown", of="whatever")
        link.send(kind="ping", n=1)
        self.assertEqual(link.line()["kind"], "pong", "an 'unknown' was answered")

    def test_lines_that_are_not_json(self):
        for text in (b"hello there\n", b"\n", b"\xff\xfe\xfd\n", b'{"kind":"ping"\n', b'"kind"\n', b"[1,2]\n", b"7\n",
                     b'{"kind":"ping","kind":"pong","n":1}\n', b'{"no":"kind"}\n', b'{"kind":7}\n', b"\0\n"):
            with self.subTest(text=text):
                link = self.open()
                link.send_bytes(text)
                self.expect_end(link)
                link.close()

    def test_lines_too_long(self):
        link = self.open()
        link.send_bytes(b'{"kind":"ping","n":1,"x":"' + b"a" * (1 << 16) + b'"}\n')
        self.expect_end(link)
        endless = self.open()
        endless.send_bytes(b"x" * (1 << 20))
        self.expect_end(endless)

    def test_the_longest_line(self):
        head, tail = b'{"kind":"ping","n":1,"x":"', b'"}\n'
        link = self.open()
        link.send_bytes(head + b"a" * (65536 - len(head) - len(tail)) + tail)
        self.assertEqual(link.until("pong")["n"], 1)

    def test_nested_too_deep(self):
        for depth in (17, 5000):
            link = self.open()
            link.send_bytes(b'{"kind":"ping","n":1,"x":' + b"[" * depth + b"]" * depth + b"}\n")
            self.expect_end(link)
            link.close()

    def test_before_hello(self):
        for message in ({"kind": "ping", "n": 1}, {"kind": "services", "services": []}, {"kind": "status"}):
            link = self.open(hello=False)
            link.send(**message)
            self.expect_end(link)
            link.close()

    def test_hello_twice(self):
        link = self.open()
        link.send(**HELLO)
        link.send(kind="ping", n=2)
        # Refused with a word or taken as the same again; but never something in between.
        said = link.line()
        if said["kind"] == "error":
            self.assertIsNone(link.line())
        else:
            self.assertEqual(link.until("pong")["n"], 2)

    def test_another_name_is_not_believed(self):
        link = self.open(hello=False)
        link.send(**{**HELLO, "name": "box1"})
        link.line()
        self.assertTrue(self.relay.machine("box1")["online"])
        self.assertNotEqual(self.relay.machine("box1").get("version"), "9.9.9")

    def test_values_out_of_range(self):
        link = self.open()
        link.send_bytes(b'{"kind":"status","uptime_s":-1,"load_1m":1e308,"cpu_count":"many"}\n'
                        b'{"kind":"status","memory_total_bytes":1e400}\n'
                        b'{"kind":"status","uptime_s":99999999999999999999999,"filesystems":[{"mount":7},3,null]}\n')
        link.send(kind="ping", n=3)
        # Whatever it made of that: closed with a word, or unharmed; the list must stay valid JSON without nonsense.
        while (said := link.line()) is not None and said["kind"] not in ("pong", "error"):
            pass
        status = self.relay.machine("mock1").get("status", {})
        self.assertNotIn("memory_total_bytes", status)
        self.assertGreaterEqual(status.get("uptime_s", 0), 0)

    def test_text_for_a_terminal_stays_text(self):
        link = self.open()
        link.send(kind="services", services=[{"name": "jupyter", "kind": "http", "port": 8888, "state": "up",
                                              "detail": "\x1b]0;pwned\x07\x1b[2J<script>alert(1)</script>"}])
        link.send(kind="ping", n=4)
        while (said := link.line()) is not None and said["kind"] != "pong":
            pass
        for words in (("list",), ("status", "mock1")):
            self.assertNotIn("\x1b", self.relay.ctl(*words))

    def test_too_many_services(self):
        link = self.open()
        link.send(kind="services", services=[{"name": f"s{n}", "kind": "tcp", "port": 1000 + n, "state": "up"}
                                             for n in range(65)])
        link.send(kind="ping", n=5)
        while (said := link.line()) is not None and said["kind"] not in ("pong", "error"):
            pass
        self.assertLessEqual(len(self.relay.machine("mock1").get("services", [])), 64)

    def test_a_flood_slows_nobody_else(self):
        """Who says too much is read more slowly, keeps its place, and is said once; verbs and streams go on."""
        link = self.open()
        lines = b"".join(b'{"kind":"status","uptime_s":%d}\n' % n for n in range(1, 100001))
        flood = threading.Thread(target=link.send_bytes, args=(lines,))
        flood.start()
        wait_for("the relay to say it", lambda: "is read more slowly now" in self.relay.process.text())
        for _ in range(5):
            self.assertEqual(self.alice.verb("list").returncode, 0)
        done = self.alice.ssh("-J", "relay", "box1", "echo in")
        self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)
        flooder = self.relay.machine("mock1")
        self.assertTrue(flooder["online"])
        self.assertIn("uptime_s", flooder["status"])
        self.assertLess(flooder["status"]["uptime_s"], 100000, "all of it was taken at once")
        self.assertEqual(self.relay.process.text().count("is read more slowly now"), 1)
        link.popen.kill()
        flood.join()
        self.test_hello_and_ping()

    def test_what_is_said_above_the_budget_is_only_late(self):
        link = self.open()
        link.send_bytes(b"".join(b'{"kind":"ping","n":%d}\n' % n for n in range(450)))
        self.assertEqual([link.until("pong")["n"] for _ in range(450)], list(range(450)))

    def test_two_links_on_one_connection(self):
        control = self.world.path("link-master")
        master = self.machine.start("-M", "-S", str(control), "-N", "relay")
        self.addCleanup(master.kill)
        wait_for("the master", control.exists)
        links = [lib.Link(self.machine.argv("-S", str(control), "-T", "-s", "relay", "sallyport")) for _ in range(2)]
        for link in links:
            self.addCleanup(link.close)
            link.send(**HELLO)
        answers = [link.line() for link in links]
        self.assertIn("welcome", [answer["kind"] for answer in answers if answer])

    def test_the_tunnels_stay_when_the_link_is_closed(self):
        control = self.world.path("tunnel-master")
        tunnel = f"ssh:22:127.0.0.1:{self.sshd.port}"
        master = self.world.start("tunnel-master", self.machine.argv(
            "-v", "-M", "-S", control, "-N", "-R", tunnel, "relay"), clean_end=False)
        self.addCleanup(master.stop)
        self.relay.wait_online("mock1", "ssh")
        link = lib.Link(self.machine.argv("-S", str(control), "-T", "-s", "relay", "sallyport"))
        self.addCleanup(link.close)
        link.send_bytes(b"nonsense\n")
        self.expect_end(link)
        done = self.alice.ssh("-J", "relay", "mock1", "echo in")
        self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)

    def test_people_have_no_link(self):
        done = self.alice.ssh("-T", "-s", "relay", "sallyport", input=json.dumps(HELLO) + "\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("welcome", done.stdout)

    def test_machines_have_no_verbs(self):
        done = self.machine.verb("list")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("box1", done.stdout)

    def test_forwards_against_the_rules(self):
        for spec in ("Bad_Name:22:localhost:22", "localhost:22:localhost:22", "x--y:22:localhost:22"):
            done = self.machine.ssh("-N", "-R", spec, "relay", timeout=30)
            self.assertNotEqual(done.returncode, 0, spec)

    def test_more_forwards_than_allowed(self):
        words = []
        for n in range(100):
            words += ["-R", f"svc{n}:{2000 + n}:localhost:22"]
        client = self.machine.start("-o", "ExitOnForwardFailure=no", "-N", *words, "relay")
        wait_for("some of them", lambda: self.relay.services("mock1"))
        time.sleep(1)
        self.assertLessEqual(len(self.relay.services("mock1")), 64)
        client.kill()


if __name__ == "__main__":
    unittest.main()
