"""A service in the browser: what passes through the relay to an application on a machine, and back, byte for byte."""
import asyncio
import gzip
import hashlib
import json
import time
import unittest

from tornado import httpclient, websocket

from lib import STRETCH, wait_for
from lib.app import blocks, digest
from lib.front import BIG, Proxy
from lib.web import COOKIE, Visitor


class Passing(Proxy):
    """What any application may expect of a connection."""

    def test_the_request_line_arrives_as_it_was(self):
        for target in ("/echo", "/echo?", "/echo?a=1&b=%20%2F&c=x%00y", "/echo?//..//%2e%2e/;x=y?z",
                       "/echo?" + "q" * 8000):
            self.assertEqual(json.loads(self.ask(target).text)["target"], target)
        for target in ("//x", "/./y", "/a/../b", "/%2e%2e/c", "/a%2Fb"):
            self.ask(target)
            self.assertTrue(self.app.seen(target.partition("?")[0]), target)

    def test_all_methods(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
            body = b"some words" if method not in ("GET", "OPTIONS") else b""
            seen = self.echo(method=method, body=body)
            self.assertEqual((seen["method"], seen["length"]), (method, len(body)))
            self.assertEqual(seen["sha256"], hashlib.sha256(body).hexdigest())

    def test_what_the_machine_is_told(self):
        """Its own name as the host, its own origin; nothing of ours and nothing that was meant for the relay."""
        seen = self.echo(method="POST", body=b"x", fields=[
            ("Authorization", "Bearer secret-of-mine"), ("Forwarded", "for=1.2.3.4;host=evil"),
            ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", "evil"), ("X-Forwarded-Proto", "ftp"),
            ("X-Real-IP", "1.2.3.4"), ("TE", "trailers"), ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"), ("Proxy-Authorization", "Basic eA=="),
            ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"),
            ("X-Own", "a, b"), ("X-Own", "c"), ("Accept-Encoding", "gzip"), ("X-Empty", "")])
        fields = {}
        for name, value in seen["fields"]:
            fields.setdefault(name.lower(), []).append(value)
        self.assertEqual(fields["host"], [f"127.0.0.1:{self.app.port}"])
        self.assertEqual(fields["origin"], [f"http://127.0.0.1:{self.app.port}"])
        self.assertEqual(fields["x-own"], ["a, b", "c"])
        self.assertEqual(fields["accept-encoding"], ["gzip"])
        self.assertEqual(fields["x-empty"], [""])
        for name in ("authorization", "forwarded", "te", "keep-alive", "proxy-connection", "proxy-authorization",
                     "x-hop", "cookie"):
            self.assertNotIn(name, fields)
        for name, values in fields.items():
            if name.startswith("x-forwarded") or name == "x-real-ip":
                self.assertNotRegex(str(values), "evil|1.2.3.4|ftp", name)

    def test_cookies_of_the_application_pass_and_ours_do_not(self):
        own = self.browser.cookies["box1--app"]
        for cookie, wanted in ((f"a=1; {own}; b=2", ["a=1; b=2"]), (f"a=1; {own}", ["a=1"]), (own, []),
                               (f"{own};b=2", ["b=2"])):
            answer = self.ask("/echo", cookie=cookie)
            self.assertEqual(answer.status, 200, cookie)
            self.assertEqual([value for name, value in json.loads(answer.text)["fields"] if name == "Cookie"], wanted)
        self.assertFalse(self.app.has(COOKIE.encode()), "our cookie reached the machine")
        cookies = self.ask("/cookies").all("Set-Cookie")
        self.assertEqual([value.split(";")[0] for value in cookies], ["plain=1", "wide=2", "dots=3", "last=4"])
        self.assertNotIn("domain", str(cookies).lower())
        self.assertIn("HttpOnly", cookies[1])
        self.assertIn("SameSite=Strict", cookies[3])

    def test_what_the_browser_is_told(self):
        answer = self.ask("/wide-open")
        self.assertEqual(answer.get("X-Kept"), "yes")
        for name, _ in answer.fields:
            self.assertNotRegex(name.lower(), "^(access-control-.*|x-only-here|keep-alive|proxy-authenticate)$")

    def test_redirects_lead_where_the_browser_can_go(self):
        own, port = self.browser.origin("box1--app"), self.app.port
        for to, wanted in (("/there?x=1", {"/there?x=1", own + "/there?x=1"}), ("there", {"there"}),
                           (f"http://127.0.0.1:{port}/a?b=c", {own + "/a?b=c", "/a?b=c"}),
                           (f"http://127.0.0.1:{port}", {own, own + "/", "/"}),
                           ("https://example.org/x", {"https://example.org/x"}),
                           (f"http://127.0.0.1:{port + 1}/other", {f"http://127.0.0.1:{port + 1}/other"}),
                           (f"http://127.0.0.1:{port}9/x", {f"http://127.0.0.1:{port}9/x"})):
            answer = self.ask("/to?to=" + to.replace("?", "%3F").replace("=", "%3D"))
            self.assertEqual(answer.status, 302)
            self.assertIn(answer.get("Location"), wanted)

    def test_chunks(self):
        answer = self.ask("/chunked")
        self.assertEqual((answer.status, answer.body), (200, b"hello world"))
        with self.wire() as wire:
            head = self.browser.request("/echo", "box1--app", "PUT", fields=[("Transfer-Encoding", "chunked")])
            wire.send(head.replace(b"Content-Length: 0\r\n", b"") + b"5;x=y\r\nhello\r\n00001\r\n \r\n5\r\nworld\r\n"
                      b"0\r\nX-Trailer: smuggled\r\n\r\n")
            seen = json.loads(wire.answer().text)
        self.assertEqual((seen["length"], seen["sha256"]), (11, hashlib.sha256(b"hello world").hexdigest()))
        self.assertFalse(self.app.has(b"X-Trailer"))

    def test_every_request_of_a_connection_goes_the_same_way(self):
        with self.wire() as wire:
            seen = []
            for n in range(20):
                method = "POST" if n % 3 else "GET"
                wire.send(self.browser.request(f"/echo?{n}", "box1--app", method, body=b"b" * (n % 3)))
                seen.append(json.loads(wire.answer().text))
        self.assertEqual([one["target"] for one in seen], [f"/echo?{n}" for n in range(20)])
        self.assertEqual(len({one["connection"] for one in seen}), 1, "not one connection to the application")

    def test_pipelining(self):
        with self.wire() as wire:
            wire.send(b"".join(self.browser.request(f"/echo?p{n}", "box1--app", "POST", body=b"z" * n)
                               for n in range(30)))
            for n in range(30):
                seen = json.loads(wire.answer().text)
                self.assertEqual((seen["target"], seen["length"]), (f"/echo?p{n}", n))

    def test_a_byte_at_a_time(self):
        with self.wire() as wire:
            for byte in self.browser.request("/echo?drip", "box1--app", "POST", body=b"drop by drop"):
                wire.send(bytes([byte]))
            self.assertEqual(json.loads(wire.answer().text)["length"], 12)

    def test_answers_without_a_body(self):
        with self.wire() as wire:
            for target, method, status, length in (
                    ("/echo", "HEAD", 200, None), ("/big?n=5000", "HEAD", 200, "5000"),
                    ("/no-content", "GET", 204, None), ("/no-content", "POST", 204, None),
                    ("/not-modified", "GET", 304, None),
                    ("/not-modified-with-length", "GET", 304, None), ("/chunked", "GET", 200, None),
                    ("/echo", "GET", 200, None)):
                wire.send(self.browser.request(target, "box1--app", method))
                answer = wire.answer(method)
                self.assertEqual(answer.status, status, target)
                if length:
                    self.assertEqual(answer.get("Content-Length"), length)

    def test_answers_that_end_with_the_connection(self):
        for n in (0, 1, 3_000_000):
            with self.wire() as wire:
                wire.send(self.browser.request(f"/until-end?n={n}", "box1--app"))
                answer = wire.head()
                self.assertEqual(answer.status, 200)
                self.check_big(wire, answer, n)
        self.assertEqual(self.ask("/old").body, b"as in 1996")

    def test_clients_of_http_1_0(self):
        for target, wanted in (("/page", b"the app"), ("/chunked", None), ("/old", b"as in 1996")):
            with self.wire() as wire:
                wire.send(self.browser.request(target, "box1--app").replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
                answer = wire.head()
                self.assertFalse(answer.get("Transfer-Encoding"), "chunks for a client that does not know them")
                body = wire.rest()
                if wanted:
                    self.assertEqual(answer.status, 200)
                    self.assertTrue(body.endswith(wanted), body)
                else:
                    self.assertTrue(answer.status == 502 or body == b"hello world", body)

    def test_100_continue(self):
        with self.wire() as wire:
            whole = self.browser.request("/continue", "box1--app", "POST", fields=[("Expect", "100-continue")],
                                         body=b"now I may")
            head, body = whole[:-9], whole[-9:]
            wire.send(head)
            self.assertEqual(wire.head().status, 100)
            wire.send(body)
            answer = wire.answer()
            self.assertEqual(json.loads(answer.text)["length"], 9)
            wire.send(head)
            self.assertEqual(wire.head().status, 100, "the second time on a connection")
            wire.send(body)
            self.assertEqual(wire.answer().status, 200)

    def test_100_continue_refused(self):
        with self.wire() as wire:
            wire.send(self.browser.request("/refuse-continue", "box1--app", "POST", fields=[("Expect", "100-continue")],
                                           body=b"x" * 100)[:-100])
            answer = wire.answer(final=False)
            self.assertEqual((answer.status, answer.body), (417, b"no"))
            self.assertTrue(wire.ended())

    def test_100_continue_that_the_application_knows_nothing_of(self):
        with self.wire() as wire:
            whole = self.browser.request("/echo", "box1--app", "POST", fields=[("Expect", "100-continue")], body=b"ab")
            wire.send(whole[:-2])
            time.sleep(1)
            wire.send(whole[-2:])  # as clients do when nobody answers
            self.assertEqual(json.loads(wire.answer().text)["length"], 2)

    def test_early_hints(self):
        with self.wire() as wire:
            wire.send(self.browser.request("/hints", "box1--app"))
            first = wire.head()
            if first.status == 103:
                self.assertIn("preload", first.get("Link"))
                first = wire.head()
            self.assertEqual(first.status, 200)

    def test_an_early_answer_reaches_a_client_that_still_sends(self):
        with self.wire() as wire:
            wire.socket.settimeout(5 * STRETCH)
            head = self.browser.request("/early", "box1--app", "POST", body=b"x")[:-1]
            wire.send(head.replace(b"Content-Length: 1\r\n", b"Content-Length: 1000000000\r\n"))
            for _ in range(20):
                wire.send(b"x" * 1000)
            answer = wire.answer()
            self.assertEqual((answer.status, answer.body), (413, b"too much"))
        self.assertEqual(self.ask("/page").status, 200)

    def test_server_sent_events_come_one_by_one(self):
        with self.wire() as wire:
            wire.send(self.browser.request("/events", "box1--app", fields=[("Accept", "text/event-stream")]))
            answer = wire.head()
            self.assertEqual((answer.status, answer.get("Content-Type")), (200, "text/event-stream"))
            pieces = wire.pieces(answer)
            text = b""
            for n in range(5):
                self.app.steps.release()
                while f"data: {n}\n\n".encode() not in text:
                    text += next(pieces)
                self.assertNotIn(f"data: {n + 1}".encode(), text)

    def test_connections_that_the_application_has_closed_meanwhile(self):
        """A server closes connections when it likes; nobody may see a 502 for that."""
        with self.wire() as wire:
            for _ in range(5):
                wire.send(self.browser.request("/once", "box1--app"))
                self.assertEqual(wire.answer().body, b"once")
                time.sleep(0.3)
        with self.wire() as wire:
            for _ in range(5):
                wire.send(self.browser.request("/once", "box1--app"))
                self.assertEqual(wire.answer().body, b"once")

    def test_a_request_that_met_a_closing_connection_is_sent_again_if_it_may(self):
        with self.wire() as wire:
            for _ in range(3):
                wire.send(self.browser.request("/stale?get", "box1--app"))
                answer = wire.answer()
                self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual(self.app.vanished["/stale?get"], 2, "the case did not come up")
        before = len(self.app.seen("/stale"))
        with self.wire() as wire:
            wire.send(self.browser.request("/page", "box1--app"))
            wire.answer()
            wire.send(self.browser.request("/stale?post", "box1--app", "POST", body=b"once only"))
            self.assertEqual(wire.answer().status, 502)
        self.assertEqual(len(self.app.seen("/stale")), before + 1, "a POST was sent twice")

    def test_an_application_that_never_answers_a_word(self):
        answer = self.ask("/vanish?now")
        self.assertEqual(answer.status, 502)
        self.assertLessEqual(self.app.vanished["/vanish?now"], 2)

    def test_what_a_browser_sees_of_a_service_that_is_down(self):
        for accept, kind in (("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
                             ("application/json", "application/json")):
            answer = self.ask("/vanish?kind", fields=[("Accept", accept)])
            self.assertEqual(answer.status, 502)
            self.assertIn(kind, answer.get("Content-Type"))
            self.assertIn("no-store", answer.get("Cache-Control"))
            if kind == "application/json":
                self.assertTrue(json.loads(answer.text)["error"])

    def test_back_pressure_for_a_reader_that_rests(self):
        before = self.measure()
        with self.wire() as wire:
            sent = self.app.sent
            wire.send(self.browser.request(f"/big?n={BIG}", "box1--app"))
            answer = wire.head()
            self.settle(lambda: self.app.sent)
            self.assertLess(self.app.sent - sent, 24 << 20, "nothing holds the application back")
            self.check_memory(before)
            self.check_big(wire, answer)
        self.check_memory(before)

    def test_back_pressure_for_an_application_that_rests(self):
        before = self.measure()
        with self.wire() as wire:
            wire.send(self.browser.request("/deaf", "box1--app", "POST", body=b"x")[:-1]
                      .replace(b"Content-Length: 1\r\n", b"Content-Length: %d\r\n" % BIG))
            wire.socket.settimeout(3 * STRETCH)
            data = b"".join(blocks(1 << 20))
            sent = 0
            try:
                while sent < BIG:
                    sent += wire.socket.send(data)
            except TimeoutError:
                pass
            self.assertLess(sent, 24 << 20, "nothing holds the browser back")
            self.check_memory(before)

    def settle(self, value):
        """Waits until it changes no more."""
        last = [None]

        def same():
            now = value()
            done, last[0] = now == last[0] and now > 0, now
            return done
        wait_for("it to come to rest", same, 60, pause=1.0)

    def test_a_large_download(self):
        before = self.measure()
        for target in (f"/big?n={BIG}", f"/big-chunked?n={BIG}"):
            with self.wire() as wire:
                wire.send(self.browser.request(target, "box1--app"))
                self.check_big(wire, wire.head())
        self.check_memory(before)

    def test_a_large_upload(self):
        before = self.measure()
        with self.wire() as wire:
            wire.send(self.browser.request("/echo", "box1--app", "POST", body=b"x")[:-1]
                      .replace(b"Content-Length: 1\r\n", b"Content-Length: %d\r\n" % BIG))
            for block in blocks(BIG):
                wire.send(block)
            seen = json.loads(wire.answer().text)
            self.assertEqual((seen["length"], seen["sha256"]), (BIG, digest(BIG)))
            wire.send(self.browser.request("/echo", "box1--app", "POST", fields=[("Transfer-Encoding", "chunked")])
                      .replace(b"Content-Length: 0\r\n", b""))
            for block in blocks(BIG):
                wire.send(b"%x\r\n%b\r\n" % (len(block), block))
            wire.send(b"0\r\n\r\n")
            seen = json.loads(wire.answer().text)
            self.assertEqual((seen["length"], seen["sha256"]), (BIG, digest(BIG)))
        self.check_memory(before)

    def test_the_browser_leaves_in_the_middle(self):
        for _ in range(30):
            with self.wire() as wire:
                wire.send(self.browser.request(f"/big?n={BIG}", "box1--app"))
                wire.head()
        with self.wire() as wire:
            wire.send(self.browser.request("/deaf", "box1--app", "POST", body=b"x" * 1000)[:-500])
        wait_for("the application to be left alone", lambda: self.app.server.open <= 3)

    def test_answers_are_not_mixed_up_between_connections(self):
        wires = [self.wire() for _ in range(20)]
        for turn in range(5):
            for n, wire in enumerate(wires):
                wire.send(self.browser.request(f"/echo?{turn}-{n}", "box1--app"))
            for n, wire in reversed(list(enumerate(wires))):
                self.assertEqual(json.loads(wire.answer().text)["target"], f"/echo?{turn}-{n}")


class Plain(Proxy):
    """On one machine, without TLS: `http://localhost:PORT` is as good, and no certificate is in the way."""

    tls = False

    def test_login_and_hop_without_tls(self):
        browser = Visitor(self.relay, tls=False)
        done = self.alice.verb("login")
        self.assertIn("localhost", done.stdout)
        browser.log_in(self.alice)
        answer = browser.enter("box1--app", "/page")
        self.assertIn(answer.get("Location"), ("/page", browser.origin("box1--app") + "/page"))
        self.assertEqual(browser.ask("/page", "box1--app").status, 200)
        self.assertEqual(browser.ask("/echo", "box1--app", "POST", body=b"x").status, 200)
        # The two are not the same to a browser.
        self.assertEqual(browser.ask("/echo", "box1--app", "POST",
                                     origin=f"https://{browser.host('box1--app')}").status, 403)

    def test_a_client_that_says_it_sends_no_more_gets_its_answer(self):
        for method, body in (("GET", b""), ("POST", b"all of it")):
            self.app.gate.clear()
            with self.wire() as wire:
                count = len(self.app.seen("/wait"))
                wire.send(self.browser.request("/wait", "box1--app", method, body=body))
                wire.half_close()
                wait_for("the request to arrive", lambda n=count: len(self.app.seen("/wait")) > n)
                time.sleep(0.5)
                self.app.gate.set()
                answer = wire.answer()
                self.assertEqual(json.loads(answer.text)["length"], len(body))
                self.assertTrue(wire.ended())

    def test_half_closed_before_a_long_answer(self):
        with self.wire() as wire:
            wire.send(self.browser.request("/big?n=30000000", "box1--app"))
            wire.half_close()
            self.check_big(wire, wire.head(), 30_000_000)

    def test_half_closed_within_the_body(self):
        with self.wire() as wire:
            wire.send(self.browser.request("/echo?cut", "box1--app", "POST", body=b"x" * 100)[:-50])
            wire.half_close()
            self.assertNotIn(b" 200 ", wire.rest()[:20])


class Frameworks(Proxy):
    """An application that was written with a framework: TensorBoard is one of those."""

    def connect(self, path, subprotocols=None, compression=None, origin="own"):
        kind = "wss" if self.tls else "ws"
        headers = {"Host": self.browser.host("box1--board"), "Cookie": self.browser.cookies["box1--board"]}
        if origin:
            headers["Origin"] = self.browser.origin("box1--board") if origin == "own" else origin
        ask = httpclient.HTTPRequest(f"{kind}://127.0.0.1:{self.relay.port}{path}", headers=headers,
                                     validate_cert=False, connect_timeout=30 * STRETCH, request_timeout=30 * STRETCH)
        return websocket.websocket_connect(ask, subprotocols=subprotocols, compression_options=compression)

    def talk(self, conversation):
        asyncio.run(asyncio.wait_for(conversation(), 120 * STRETCH))

    def test_websocket(self):
        async def conversation():
            socket = await self.connect("/ws", subprotocols=["first", "second"], compression={})
            self.assertEqual(socket.selected_subprotocol, "second")
            for message in ("hello", "", "é" * 1000, "z" * 1_000_000, b"\0\xff" * 70_000, b""):
                await socket.write_message(message, binary=isinstance(message, bytes))
                self.assertEqual(await socket.read_message(), message)
            await socket.write_message("close")
            self.assertIsNone(await socket.read_message())
            self.assertEqual((socket.close_code, socket.close_reason), (4001, "as you wish"))
        self.talk(conversation)
        self.assertEqual(self.framework.origins[-1], f"http://127.0.0.1:{self.framework.port}")

    def test_compression_is_granted(self):
        head = self.upgrade("/ws", ("Sec-WebSocket-Extensions", "permessage-deflate"))
        self.assertEqual(head.status, 101)
        self.assertIn("permessage-deflate", head.get("Sec-WebSocket-Extensions"))
        self.assertEqual(head.get("Upgrade").lower(), "websocket")
        self.assertEqual(head.get("Connection").lower(), "upgrade")

    def upgrade(self, path, *fields, rest=b""):
        wire = self.wire("box1--board")
        wire.send(self.browser.request(path, "box1--board", fields=[
            ("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", self.browser.origin("box1--board")),
            *fields]) + rest)
        answer = wire.head()
        answer.wire = wire
        return answer

    def test_frames_in_one_packet_with_the_heads(self):
        """Theirs right behind the 101; ours right behind the request, which tornado then finds waiting."""
        masked = bytes([0x81, 0x82, 1, 2, 3, 4, ord("h") ^ 1, ord("i") ^ 2])
        answer = self.upgrade("/chat", rest=masked)
        self.assertEqual(answer.status, 101)
        self.assertEqual(answer.wire.take(9), b"\x81\x07welcome")
        answer = self.upgrade("/ws", rest=masked)
        self.assertEqual((answer.status, answer.wire.take(4)), (101, b"\x81\x02hi"))

    def test_an_upgrade_that_the_application_refuses(self):
        """It is answered as any other; the connection need not go on, but then that is said."""
        answer = self.upgrade("/data")
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(b"".join(answer.wire.pieces(answer))), 5042)
        if answer.get("Connection").lower() == "close":
            self.assertTrue(answer.wire.ended())
        else:
            answer.wire.send(self.browser.request("/data", "box1--board"))
            self.assertEqual(answer.wire.answer().status, 200)

    def test_an_idle_websocket_stays(self):
        async def conversation():
            socket = await self.connect("/ws")
            await asyncio.sleep(25)
            await socket.write_message("still there?")
            self.assertEqual(await socket.read_message(), "still there?")
            socket.close()
        self.talk(conversation)

    def test_many_messages_both_ways(self):
        async def conversation():
            socket = await self.connect("/ws", compression={})
            messages = [f"{n}" * (n % 400) for n in range(2000)]

            async def say():
                for message in messages:
                    await socket.write_message(message)
            said = asyncio.ensure_future(say())
            for message in messages:
                self.assertEqual(await socket.read_message(), message)
            await said
            socket.close()
        self.talk(conversation)

    def test_pages_files_ranges(self):
        answer = self.ask("/", "box1--board")
        self.assertIn(answer.get("Location"), ("/data", self.browser.origin("box1--board") + "/data"))
        answer = self.ask("/data", "box1--board", fields=[("Accept-Encoding", "gzip")])
        self.assertEqual(answer.get("Content-Encoding"), "gzip")
        self.assertEqual(json.loads(gzip.decompress(answer.body))["runs"], ["train", "test"])
        self.assertTrue(answer.get("Set-Cookie").startswith("seen=1"))
        (self.framework.files / "model.bin").write_bytes(b"".join(blocks(3_000_000)))
        answer = self.ask("/files/model.bin", "box1--board", fields=[("Range", "bytes=1000000-1000099")])
        self.assertEqual((answer.status, answer.get("Content-Range")), (206, "bytes 1000000-1000099/3000000"))
        self.assertEqual(answer.body, b"".join(blocks(3_000_000))[1000000:1000100])
        etag = answer.get("Etag")
        answer = self.ask("/files/model.bin", "box1--board", fields=[("If-None-Match", etag)])
        self.assertEqual((answer.status, answer.body), (304, b""))


class FrameworksPlain(Frameworks):
    tls = False


if __name__ == "__main__":
    unittest.main()
