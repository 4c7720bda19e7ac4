"""Whoever means ill at the web front: clients that smuggle, machines that lie, sites that are not ours."""
import itertools
import json
import re
import socket
import struct
import threading
import time
import unittest

from lib import SANITIZED, STRETCH, Case, Person, wait_for
from lib.app import App
from lib.liar import Liar, endless, reset, stay
from lib.smuggling import BAD_HEADS, CHUNKS, FRAMES, LINES, OK
from lib.web import COOKIE, Visitor

MEMORY = 20 << 20
STATUS = re.compile(rb"HTTP/1\.[01] \d{3} ")
WEBSOCKET = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Front(Case):
    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.other = App(cls.world)
        cls.liar = Liar(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n"
            f"[service other]\nport = {cls.other.port}\nkind = http\n"
            f"[service liar]\nport = {cls.liar.port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app", "other", "liar")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.browser = Visitor(cls.relay).log_in(cls.alice)
        for service in ("app", "other", "liar"):
            cls.browser.enter(f"box1--{service}")
        cls.world.at_end(cls.app.gate.set)

    def tearDown(self):
        """Whatever was done: the relay is there, and others are served as before."""
        self.assertTrue(self.relay.process.alive(), "the relay is gone")
        self.assertEqual(self.browser.ask("/page", "box1--app").status, 200)
        self.assertEqual(self.browser.ask("/api/v1/machines").status, 200)

    def raw(self, data, timeout=30):
        """Sends bytes, and reads until the relay closes. What it said."""
        with self.browser.wire("box1--app", timeout=timeout) as wire:
            try:
                wire.send(data)
            except OSError:
                pass  # it had seen enough
            return wire.rest()

    def status_or_end(self, wire, **how):
        """The status of the next answer, None when the connection ends instead."""
        try:
            return wire.answer(**how).status
        except EOFError:
            return None


class Smuggling(Front):
    def fill(self, text, mark):
        filled = text.replace("|", "\r\n").replace("HOST", self.browser.host("box1--app")).replace("/M", "/" + mark)
        filled = filled.replace("X: M", "X: " + mark).replace("COOKIE", "Cookie: " + self.browser.cookies["box1--app"])
        filled = filled.replace("ORIGIN", "Origin: " + self.browser.origin("box1--app"))
        return (filled + SMUGGLED).encode("latin-1")

    def check_refused(self, said, mark, text, statuses=(400,)):
        status = said.split(b" ")[1:2]
        self.assertIn(status, [[str(one).encode()] for one in statuses], (text, said[:200]))
        self.assertEqual(len(STATUS.findall(said)), 1, (text, said))
        self.assertIn(b"\r\nConnection: close\r\n", said.split(b"\r\n\r\n")[0] + b"\r\n", text)
        self.assertFalse(self.app.has(mark.encode()), f"it reached the machine: {text!r}")

    def test_frames(self):
        for number, text in enumerate(FRAMES):
            with self.subTest(text=text[:60]):
                mark = f"frame-{number}-"
                head = "POST /M HTTP/1.1|Host: HOST|COOKIE|ORIGIN|"
                self.check_refused(self.raw(self.fill(head + text, mark)), mark, text)

    def test_the_frame_comes_first(self):
        """The same, where the bad line is the first after the request line."""
        for number, text in enumerate(FRAMES):
            if "||" not in text:
                continue
            with self.subTest(text=text[:60]):
                mark = f"first-{number}-"
                fields, body = text.split("||", 1)
                whole = f"POST /M HTTP/1.1|{fields}|Host: HOST|COOKIE|ORIGIN||{body}"
                self.check_refused(self.raw(self.fill(whole, mark)), mark, text)

    def test_request_lines(self):
        for number, text in enumerate(LINES):
            with self.subTest(text=text[:60]):
                mark = f"line-{number}-"
                self.check_refused(self.raw(self.fill(text, mark)), mark, text, (400, 405, 421, 431, 501, 505))

    def test_on_the_relay_s_own_pages_too(self):
        own = self.browser.host("box1--app").encode(), self.browser.host().encode()
        cookie = self.browser.cookies["box1--app"].encode(), self.browser.cookies[None].encode()
        for number, text in enumerate(FRAMES):
            with self.subTest(text=text[:60]):
                data = self.fill("POST /healthz HTTP/1.1|Host: HOST|COOKIE|ORIGIN|" + text, "x")
                self.check_refused(self.raw(data.replace(*own).replace(*cookie)), "no-mark", text)

    def test_a_second_request_is_read_as_strictly(self):
        for number, text in enumerate(FRAMES):
            with self.subTest(text=text[:60]):
                mark = f"second-{number}-"
                data = self.fill("POST /M HTTP/1.1|Host: HOST|COOKIE|ORIGIN|" + text, mark)
                with self.browser.wire("box1--app") as wire:
                    wire.send(self.browser.request("/page", "box1--app") + data)
                    self.assertEqual(wire.answer().status, 200)
                    self.check_refused(wire.rest(), mark, text)

    def test_chunks(self):
        """The head is good and may be on its way: then the request must not be taken for a whole one, and what follows
        it for no request at all."""
        for number, text in enumerate(CHUNKS):
            with self.subTest(text=text[:60]):
                before = len(self.app.seen("/echo"))
                head = "POST /echo HTTP/1.1|Host: HOST|COOKIE|ORIGIN|Transfer-Encoding: chunked||"
                said = self.raw(self.fill(head + text, "x"))
                self.assertNotIn(b" 200 ", said[:13])
                self.assertLessEqual(len(STATUS.findall(said)), 1)
                for request in self.app.seen("/echo")[before:]:
                    self.assertIsNone(request.digest, "the machine took it for a whole request")
        self.assertFalse(self.app.has(b"/smuggled"))

    def test_an_upgrade_smuggles_nothing(self):
        """What the machine does not answer with 101 is read as HTTP on."""
        upgrades = ([("Connection", "Upgrade"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")],
                    [("Connection", "Upgrade"), ("Upgrade", "TLS/1.0")], [("Connection", "Upgrade")], WEBSOCKET[:2])
        for fields in upgrades:
            with self.browser.wire("box1--app") as wire:
                wire.send(self.browser.request("/echo?u", "box1--app", origin=self.browser.origin("box1--app"),
                                               fields=fields))
                answer = wire.answer()
                self.assertIn(answer.status, (200, 400))
                if answer.status == 200:
                    seen = {name.lower() for name, _ in json.loads(answer.text)["fields"]}
                    self.assertNotIn("http2-settings", seen)
                    if fields is not upgrades[-1]:
                        self.assertNotIn("upgrade", seen)
                wire.send(SMUGGLED.encode())
                self.assertIn(self.status_or_end(wire), (421, None))
        self.assertFalse(self.app.has(b"/smuggled"))

    def test_pipelined_to_another_host(self):
        """Each request is looked at by itself: its host, its session."""
        with self.browser.wire("box1--app") as wire:
            wire.send(self.browser.request("/echo?mine", "box1--app") +
                      self.browser.request("/echo?not-mine", "box1--other", cookie=self.browser.cookies["box1--app"]))
            self.assertEqual(wire.answer().status, 200)
            self.assertIn(self.status_or_end(wire), (401, 421, None))
        self.assertFalse(self.other.has(b"not-mine"))
        with self.browser.wire("box1--app") as wire:
            wire.send(self.browser.request("/echo?to-one", "box1--app") +
                      self.browser.request("/echo?to-other", "box1--other"))
            self.assertEqual(wire.answer().status, 200)
            second = self.status_or_end(wire)
        self.assertIn(second, (200, 421, None))
        self.assertFalse(self.app.has(b"to-other"), "a request went to the wrong machine")
        self.assertEqual(self.other.has(b"to-other"), second == 200)


class Lies(Front):
    def ask(self, target, **how):
        return self.browser.ask(target, "box1--liar", **how)

    def test_heads(self):
        for said in BAD_HEADS:
            with self.subTest(said=said[:70]):
                answer = self.ask(self.liar.tell(said), fields=[("Accept", "application/json")])
                self.assertEqual(answer.status, 502)
                self.assertTrue(json.loads(answer.text)["error"])
                self.assertNotIn("hello", answer.text)

    def test_heads_of_a_machine_that_keeps_the_connection(self):
        """As above, but it does not close: nobody waits for that."""
        for said in BAD_HEADS:
            if not said.endswith(b"\r\n\r\n") and b"\r\n\r\n" not in said:
                continue
            with self.subTest(said=said[:70]):
                self.assertEqual(self.ask(self.liar.tell(said, stay)).status, 502)

    def test_101_with_another_upgrade_than_the_one_asked_for(self):
        own = self.browser.origin("box1--liar")
        for said in (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"", b"Connection: Upgrade\r\n",
                     b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
                     b"Connection: close\r\nUpgrade: websocket\r\n"):
            target = self.liar.tell(b"HTTP/1.1 101 Switching Protocols\r\n" + said + b"\r\nraw bytes", stay)
            answer = self.ask(target, origin=own, fields=WEBSOCKET)
            self.assertEqual(answer.status, 502, said)

    def test_endless_heads(self):
        """No more is taken than a head may have, and the machine is not listened to any further."""
        before = self.measure()
        for first, piece in ((OK, b"X: " + b"y" * 1000 + b"\r\n"), (OK + b"X: ", b"y" * 1000), (b"", b"\r\n"),
                             (b"HTTP/1.1 200 ", b"O" * 999), (b"", b"\0" * 1000)):
            with self.subTest(piece=piece[:20]):
                self.assertEqual(self.ask(self.liar.tell(endless(first, piece))).status, 502)
        wait_for("the machine's connections to be closed", lambda: self.liar.server.open == 0)
        self.check_memory(before)

    def test_heads_that_drip(self):
        """Whoever asks may wait for that, or leave; then it is over for the machine, too."""
        def drip(connection, server):
            for byte in itertools.chain(OK + b"X: ", itertools.repeat(ord("y"))):
                connection.sendall(bytes([byte]))
                if server.ended.wait(0.05):
                    return
        target = self.liar.tell(drip)
        wires = []
        for _ in range(20):
            wire = self.browser.wire("box1--liar")
            self.addCleanup(wire.close)
            wire.send(self.browser.request(target, "box1--liar"))
            wires.append(wire)
        time.sleep(2)
        self.assertEqual(self.browser.ask("/page", "box1--app").status, 200)
        for wire in wires:
            wire.close()
        wait_for("the machine's connections to be closed", lambda: self.liar.server.open == 0)

    def test_1xx_without_end(self):
        before = self.measure()
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"):
            with self.browser.wire("box1--liar") as wire:
                wire.send(self.browser.request(self.liar.tell(endless(b"", piece)), "box1--liar"))
                for _ in range(200):
                    status = self.status_or_end(wire, final=False)
                    if status in (502, None):
                        break
                self.assertIn(status, (502, None))
        self.check_memory(before)

    def test_bodies_that_are_cut_off(self):
        """A browser must be able to tell: it never looks as if all had come."""
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        for said in (OK + b"Content-Length: 100\r\n\r\nhello", OK + b"Content-Length: 100\r\n\r\n", chunked,
                     chunked + b"5\r\nhel", chunked + b"5\r\nhello\r\n", chunked + b"5\r\nhello\r\n0\r\n"):
            for end in ((), (0.3,), (0.3, reset)):
                with self.subTest(said=said, end=end), self.assertRaises((EOFError, AssertionError)):
                    self.ask(self.liar.tell(said, *end))

    def test_bad_chunks_end_it(self):
        for text in CHUNKS:
            with self.subTest(text=text[:40]):
                said = OK + b"Transfer-Encoding: chunked\r\n\r\n" + text.replace("|", "\r\n").encode("latin-1")
                with self.browser.wire("box1--liar") as wire:
                    wire.send(self.browser.request(self.liar.tell(said, stay), "box1--liar"))
                    with self.assertRaises((EOFError, AssertionError)):
                        wire.answer()

    def test_more_than_was_announced(self):
        """What follows an answer is not the next one's."""
        poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        for said, method in ((OK + b"Content-Length: 5\r\n\r\nhello", "GET"),
                             (OK + b"Content-Length: 0\r\n\r\n", "GET"),
                             (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "GET"),
                             (b"HTTP/1.1 204 No Content\r\n\r\n", "GET"), (b"HTTP/1.1 304 Not Modified\r\n\r\n", "GET"),
                             (OK + b"Content-Length: 5\r\n\r\n", "HEAD")):
            for pause in ((), (0.2,)):
                with self.subTest(said=said, pause=pause), self.browser.wire("box1--liar") as wire:
                    wire.send(self.browser.request(self.liar.tell(said, *pause, poison, stay), "box1--liar", method))
                    self.assertNotIn(b"poison", wire.answer(method).body)
                    time.sleep(0.6)
                    wire.send(self.browser.request("/next", "box1--liar"))
                    try:
                        self.assertEqual(wire.answer().body, b"ok")
                    except EOFError:
                        pass  # it closed with the answer, which is as good

    def test_pipelined_requests_get_no_poison(self):
        """Both are there when the first is answered with more than one answer."""
        said = OK + b"Content-Length: 5\r\n\r\nhello" + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        for _ in range(20):
            with self.browser.wire("box1--liar") as wire:
                wire.send(self.browser.request(self.liar.tell(said, stay), "box1--liar") +
                          self.browser.request("/next", "box1--liar"))
                self.assertEqual(wire.answer().body, b"hello")
                try:
                    self.assertEqual(wire.answer().body, b"ok")
                except EOFError:
                    pass

    def test_closed_after_each_byte(self):
        whole = (OK + b"Set-Cookie: a=1\r\nContent-Length: 20\r\n\r\n" + b"b" * 20,
                 OK + b"Transfer-Encoding: chunked\r\n\r\na;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n")
        for said in whole:
            head = said.index(b"\r\n\r\n") + 4
            for n in range(len(said)):
                for end in ((), (reset,)):
                    target = self.liar.tell(said[:n], *end)
                    try:
                        answer = self.ask(target)
                    except (EOFError, AssertionError):
                        self.assertGreaterEqual(n, head, (n, end))
                        continue
                    self.assertEqual(answer.status, 502, (n, end))

    def test_a_byte_at_a_time(self):
        said = (OK + b"Transfer-Encoding: chunked\r\n\r\na;x\r\n0123456789\r\n0\r\nX: y\r\n\r\n")
        pieces = [step for byte in said for step in (bytes([byte]), 0.002)]
        self.assertEqual(self.ask(self.liar.tell(*pieces)).body, b"0123456789")

    def test_cookies_and_permissions_that_are_not_its_to_give(self):
        own = ("__Host-sallyport=x; Path=/; Secure", "__HOST-SALLYPORT=x", "__Host-sallyport =x", " __Host-sallyport=x",
               "=x", "__Host-sallyport", "=__Host-sallyport=x", "\t__host-Sallyport\t= x; Domain=localhost")
        kept = {"a=1; Domain=localhost; Path=/": "a=1; Path=/", "b=2; domain=.localhost": "b=2",
                "c=3; DOMAIN = box1--app.localhost; Secure": "c=3; Secure", "d=4;Domain;HttpOnly": "d=4;HttpOnly",
                "e=5; Domain=x; Domain=y": "e=5", "f=__Host-sallyport=x": "f=__Host-sallyport=x"}
        fields = "".join(f"Set-Cookie: {value}\r\n" for value in (*own, *kept))
        target = self.liar.tell(
            OK + fields.encode() + b"Access-Control-Allow-Origin: https://evil.example\r\n"
            b"access-control-allow-credentials: true\r\nACCESS-CONTROL-ALLOW-PRIVATE-NETWORK: true\r\n"
            b"Clear-Site-Data: \"cookies\"\r\nContent-Length: 0\r\n\r\n")
        with self.browser.wire("box1--liar") as wire:
            wire.send(self.browser.request(target, "box1--liar"))
            answer = wire.answer()
        self.assertEqual(answer.status, 200)
        got = [value.replace("; ", ";").rstrip(";") for value in answer.all("Set-Cookie")]
        self.assertEqual(got, [value.replace("; ", ";") for value in kept.values()])
        self.assertFalse([name for name, _ in answer.fields if name.lower().startswith("access-control-allow")])
        self.assertFalse(answer.all("Clear-Site-Data"), "it would log the browser out of every machine")

    def test_nothing_of_ours_reaches_it(self):
        """Nor what a careless parser could take for it."""
        own = self.browser.cookies["box1--app"]
        for cookie in (own, f"{own}; x=1", f"a=b;{own}", f"a=b;;{own};", f"{own}; __HOST-sallyport=spoof; c=d",
                       f"__host-sallyport =spoof; {own}", f"{own};\t__Host-Sallyport\t=spoof",
                       f"{own}; __HOST-SALLYPORT"):
            answer = self.browser.ask("/echo?ours", "box1--app", cookie=cookie)
            self.assertEqual(answer.status, 200, cookie)
            cookies = [value for name, value in json.loads(answer.text)["fields"] if name.lower() == "cookie"]
            self.assertNotIn("sallyport", str(cookies).lower())

    def check_memory(self, before):
        if not SANITIZED:
            self.assertLess(self.relay.process.peak() - before, MEMORY)

    def measure(self):
        self.relay.process.reset_peak()
        return self.relay.process.memory()

    def test_many_lies_at_once(self):
        before = self.measure()
        target = self.liar.tell(endless(OK + b"Transfer-Encoding: chunked\r\n\r\n",
                                        b"8000\r\n" + b"x" * 0x8000 + b"\r\n"))
        wires = []
        for _ in range(100):
            wire = self.browser.wire("box1--liar")
            self.addCleanup(wire.close)
            wire.send(self.browser.request(target, "box1--liar"))
            wires.append(wire)
        for wire in wires:
            self.assertEqual(wire.head().status, 200)
        time.sleep(2)
        self.assertEqual(self.browser.ask("/page", "box1--app").status, 200)
        if not SANITIZED:
            self.assertLess(self.relay.process.peak() - before, 300 << 20)
        for wire in wires:
            wire.close()
        wait_for("the machine's connections to be closed", lambda: self.liar.server.open == 0, 60)


class Strangers(Front):
    """Other sites, other hosts, other cookies."""

    def origins(self, service):
        own = self.browser.origin(service)
        port = self.relay.port
        return (None, "null", "", "https://evil.example", self.browser.origin(), self.browser.origin("box1--other"),
                own.replace("https", "http"), own.rsplit(":", 1)[0], own + "/", own + "0", own.upper(), " " + own + "x",
                f"https://box1--app.localhost.evil.example:{port}", f"https://127.0.0.1:{self.app.port}",
                f"http://127.0.0.1:{self.app.port}", own + " " + own, own + ",https://evil.example")

    def test_origin(self):
        for origin in self.origins("box1--app"):
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
                answer = self.browser.ask(f"/echo?origin-{method}", "box1--app", method, origin=origin)
                self.assertEqual(answer.status, 403, (origin, method))
        with self.browser.wire("box1--app") as wire:
            own = self.browser.origin("box1--app")
            wire.send(self.browser.request("/echo?origin-twice", "box1--app", "POST", fields=[("Origin", own)]))
            self.assertIn(wire.answer().status, (400, 403))
        self.assertFalse(self.app.has(b"origin-"))

    def test_origin_of_websockets(self):
        for origin in self.origins("box1--app"):
            answer = self.browser.ask("/echo?websocket-origin", "box1--app", origin=origin, fields=WEBSOCKET)
            self.assertEqual(answer.status, 403, origin)
        for upgrade in ("WebSocket", "WEBSOCKET"):
            answer = self.browser.ask("/echo?websocket-origin", "box1--app", origin=None, fields=[
                ("Connection", "keep-alive, upgrade"), ("Upgrade", upgrade), *WEBSOCKET[2:]])
            self.assertEqual(answer.status, 403)
        self.assertFalse(self.app.has(b"websocket-origin"))

    def test_the_relay_s_own_api(self):
        for origin in (None, "null", "https://evil.example", self.browser.origin("box1--app")):
            for method, path in (("POST", "/api/v1/logout"), ("POST", "/api/v1/logout-everywhere"),
                                 ("POST", "/api/v1/invites"), ("DELETE", "/api/v1/sessions/1")):
                answer = self.browser.ask(path, method=method, origin=origin, body=b"{}")
                self.assertEqual(answer.status, 403, (origin, path))
        self.assertEqual(self.browser.ask("/api/v1/me").status, 200)

    def test_what_another_site_can_make_a_browser_fetch(self):
        """No Origin comes with a script tag, an image or a frame; but the browser says what it is for."""
        for site in ("same-site", "cross-site"):
            for mode, dest in (("no-cors", "script"), ("no-cors", "image"), ("no-cors", "style"), ("cors", "empty"),
                               ("no-cors", "empty"), ("navigate", "iframe"), ("navigate", "frame"),
                               ("navigate", "embed"), ("navigate", "object"), ("websocket", "websocket")):
                answer = self.browser.ask("/echo?other-site", "box1--app", fields=[
                    ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)])
                self.assertEqual(answer.status, 403, (site, mode, dest))
        self.assertFalse(self.app.has(b"other-site"))
        for site, mode, dest in (("same-site", "navigate", "document"), ("cross-site", "navigate", "document"),
                                 ("none", "navigate", "document"), ("same-origin", "no-cors", "script"),
                                 ("same-origin", "navigate", "iframe"), ("same-origin", "cors", "empty")):
            answer = self.browser.ask("/page", "box1--app", fields=[
                ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)])
            self.assertEqual(answer.status, 200, (site, mode, dest))

    def test_hosts(self):
        port, cookie = self.relay.port, self.browser.cookies["box1--app"]
        app = f"127.0.0.1:{self.app.port}"
        names = ("box1--app.localhost.", "box1--app.evil.example", "x.box1--app.localhost", "box1--app",
                 "box1.localhost", "--app.localhost", "box1--.localhost", "--.localhost", "box1--app--x.localhost",
                 "box1---app.localhost", "box1-app.localhost", "b" * 300 + "--app.localhost", "*.localhost",
                 "box1--%61pp.localhost", "box1--app.127.0.0.1")
        for host in (*[f"{name}:{port}" for name in names], "box1--app.localhost", "box1--app.localhost:1", app,
                     f"box1--app.localhost:{port}0", f"box1--app.localhost:0{port}",
                     f"box1--app.localhost:{port}:{port}"):
            with self.browser.wire("box1--app") as wire:
                wire.send(f"GET /echo?host HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode())
                self.assertIn(wire.answer().status, (400, 421), host)
        self.assertFalse(self.app.has(b"/echo?host"))
        with self.browser.wire("box1--app") as wire:
            wire.send(f"GET /page HTTP/1.1\r\nHost: BOX1--App.LOCALHOST:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
            self.assertIn(wire.answer().status, (200, 421))

    def test_services_that_are_not_there(self):
        """Whoever is logged in at another host learns nothing, and reaches nothing."""
        for service in ("nowhere--app", "box1--nothing", "box1--ssh", "relay--app"):
            answer = self.browser.ask("/echo?absent", service, cookie=self.browser.cookies["box1--app"])
            self.assertNotEqual(answer.status, 200, service)
        self.assertFalse(self.app.has(b"absent"))

    def test_cookies_of_another_host(self):
        right = self.browser.cookies["box1--other"]
        for cookie in (self.browser.cookies[None], self.browser.cookies["box1--app"], COOKIE + "=",
                       COOKIE + "=" + "A" * 43, COOKIE + "=" + "A" * 5000, right.lower(), f"{right}; {right}",
                       f"{right}; {COOKIE}=x", f"{COOKIE}=x; {right}"):
            answer = self.browser.ask("/echo?foreign-cookie", "box1--other", cookie=cookie)
            self.assertNotEqual(answer.status, 200, cookie[:60])
        self.assertFalse(self.other.has(b"foreign-cookie"))
        for cookie in (self.browser.cookies["box1--app"], self.browser.cookies["box1--other"]):
            self.assertEqual(self.browser.ask("/api/v1/machines", cookie=cookie).status, 401)

    def test_a_machine_cannot_fix_a_session(self):
        """A cookie that was planted beside ours makes the request invalid, not somebody else's."""
        planted = "sallyport=x; " + self.browser.cookies[None] + "; __host-sallyport=y"
        self.assertEqual(self.browser.ask("/api/v1/me", cookie=planted).status, 200)
        self.assertEqual(self.browser.ask("/api/v1/me", cookie=f"{COOKIE}=x; {self.browser.cookies[None]}").status, 401)


class Disorder(Front):
    def test_connections_that_end_at_any_moment(self):
        """By a close or by a reset, in the middle of everything, hundreds of times."""
        whole = self.browser.request("/echo?disorder", "box1--app", "POST", body=b"b" * 100)
        upgrade = self.browser.request("/lie-none", "box1--liar", origin=self.browser.origin("box1--liar"),
                                       fields=WEBSOCKET)
        for data, service in ((whole, "box1--app"), (upgrade, "box1--liar")):
            for n in range(0, len(data), 7):
                with self.browser.wire(service) as wire:
                    wire.send(data[:n] or b" ")
                    if n % 2:
                        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def test_half_a_request_is_not_waited_for(self):
        began = time.monotonic()
        self.raw(self.browser.request("/echo", "box1--app")[:-2], timeout=40)
        self.assertLess(time.monotonic() - began, 30 * STRETCH)

    def test_everything_at_once(self):
        """Good and bad clients side by side: the good ones get what they asked for."""
        wrong = []

        def good():
            for n in range(30):
                seen = json.loads(self.browser.ask(f"/echo?good{n}", "box1--app", "POST", body=b"x" * n * 1000).text)
                if seen["length"] != n * 1000:
                    wrong.append(seen)

        def bad():
            for n in range(30):
                self.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" if n % 2 else b"\0" * 1000)

        threads = [threading.Thread(target=work) for work in (good, bad) * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
