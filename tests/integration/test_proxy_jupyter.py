"""A stock Jupyter in the browser, through the whole way: the relay's proxy, the tunnel, the agent. Nobody types a token,
nobody else's page can use it, and what lives on it ends with the right to it."""
import asyncio
import base64
import hashlib
import json
import os
import time
import unittest

from tornado import httpclient, websocket

from lib import SANITIZED, STRETCH, Agent, Case, Person, Relay, wait_for
from lib.jupyter import TOKEN, Jupyter, cell_ended, send_cell
from lib.web import COOKIE, Visitor
from test_jupyter import environment

BIG = (20 if SANITIZED else 100) << 20
PART = 5 << 20
HOME = "box1--jupyter"
PAGE = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
# What a right's end may take to show at a WebSocket that is open.
SOON = 2.0


class Browser(Visitor):
    """A Visitor that knows Jupyter's paths, and notes what came back."""

    def __init__(self, relay, jupyter, **how):
        super().__init__(relay, **how)
        self.jupyter = jupyter
        self.answers = []

    def ask(self, target, service=None, method="GET", **how):
        answer = super().ask(target, service, method, **how)
        self.answers.append((service, target, answer))
        return answer

    def api(self, path, method="GET", body=None, **how):
        data = b"" if body is None else json.dumps(body).encode()
        return self.ask(self.jupyter.base_url + "api/" + path, HOME, method, body=data, **how)

    def json(self, path, method="GET", body=None, status=200):
        answer = self.api(path, method, body)
        if answer.status != status:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.text[:500]}")
        return json.loads(answer.text) if answer.text else None

    def order(self, path):
        """A POST to the relay's own API, as its page does it; its status."""
        token = json.loads(self.ask("/api/v1/me").text)["csrf_token"]
        return self.ask(path, None, "POST", fields=[("X-Sallyport-Token", token)]).status

    def kernel(self):
        return self.json("kernels", "POST", {}, status=201)["id"]

    async def connect(self, path, origin="own", cookie=True):
        """A WebSocket of Jupyter's, through the relay."""
        headers = {"Host": self.host(HOME)}
        if cookie:
            headers["Cookie"] = self.cookies[HOME]
        if origin:
            headers["Origin"] = self.origin(HOME) if origin == "own" else origin
        url = f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.relay.port}{self.jupyter.base_url}{path}"
        # It is answered when the kernel is there, which takes its time on a busy machine.
        ask = httpclient.HTTPRequest(url, headers=headers, validate_cert=False, connect_timeout=50 * STRETCH,
                                     request_timeout=50 * STRETCH)
        return await websocket.websocket_connect(ask, compression_options={})

    async def refused(self, path, **how):
        """The status with which a WebSocket is refused."""
        try:
            (await self.connect(path, **how)).close()
        except httpclient.HTTPClientError as error:
            return error.code
        raise AssertionError(f"{path} was opened: {how}")


def run(conversation):
    return asyncio.run(asyncio.wait_for(conversation, 120 * STRETCH))


class Front(Case):
    kind = "jupyter-server"
    base_url = "/"

    @classmethod
    def begin(cls):
        cls.home = cls.world.folder("home")
        cls.jupyter = Jupyter(cls.world, cls.kind, home=cls.home, base_url=cls.base_url)
        cls.relay = Relay(cls.world)
        cls.agent = Agent(cls.world, "box1", cls.relay, env=environment(cls.home))
        cls.agent.join()
        cls.agent.start("jupyter")
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.browser = cls.visitor(cls.alice)

    @classmethod
    def visitor(cls, person):
        browser = Browser(cls.relay, cls.jupyter).log_in(person)
        browser.enter(HOME)
        return browser


class Work:
    """A day's work; for each kind of Jupyter, at the root and below another path."""

    def test_the_way_in(self):
        answer = self.browser.ask("/open/box1/jupyter")
        self.assertIn(answer.status, (302, 303))
        answer = self.browser.ask(answer.get("Location")[len(self.browser.origin(HOME)):], HOME)
        self.assertEqual((answer.status, answer.get("Location")), (302, "/"))
        seen = []
        while answer.status in (301, 302, 303) and len(seen) < 5:
            seen.append(answer.get("Location"))
            self.assertTrue(seen[-1].startswith("/"), "led away from the service's host")
            answer = self.browser.ask(seen[-1], HOME, fields=PAGE)
        self.assertEqual(answer.status, 200, seen)
        self.assertIn("Jupyter", answer.text)
        self.assertTrue(seen[-1].startswith(self.base_url), seen)
        self.assertNotIn(TOKEN, " ".join(seen))

    def test_an_upload_in_chunks(self):
        """With a body whose length nobody knows beforehand."""
        text = "é" * 300_000
        model = json.dumps({"type": "file", "format": "text", "content": text}).encode()
        with self.browser.wire(HOME) as wire:
            head = self.browser.request(self.base_url + "api/contents/text.txt", HOME, "PUT",
                                        fields=[("Transfer-Encoding", "chunked")])
            wire.send(head.replace(b"Content-Length: 0\r\n", b""))
            for at in range(0, len(model), 77_777):
                piece = model[at:at + 77_777]
                wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            wire.send(b"0\r\n\r\n")
            self.assertIn(wire.answer("PUT").status, (200, 201))
        self.assertEqual(self.browser.json("contents/text.txt")["content"], text)

    def test_cells_run_and_are_interrupted(self):
        kernel = self.browser.kernel()

        async def talk():
            socket = await self.browser.connect(f"api/kernels/{kernel}/channels")
            await send_cell(socket, "print(1 + 1)")
            self.assertEqual(await cell_ended(socket), ("2\n", None))
            await send_cell(socket, "print('x' * 500_000)")
            self.assertEqual(await cell_ended(socket), ("x" * 500_000 + "\n", None))
            await send_cell(socket, "import time; print('on'); time.sleep(3600)")
            while json.loads(await socket.read_message())["msg_type"] != "stream":
                pass
            interrupted = await asyncio.to_thread(self.browser.api, f"kernels/{kernel}/interrupt", "POST")
            self.assertEqual(interrupted.status, 204)
            self.assertEqual((await cell_ended(socket))[1], "KeyboardInterrupt")
            socket.close()

        run(talk())
        self.assertEqual(self.browser.api("kernels/" + kernel, "DELETE").status, 204)

    def test_a_terminal(self):
        name = self.browser.json("terminals", "POST")["name"]

        async def talk():
            socket = await self.browser.connect("terminals/websocket/" + name)
            await socket.write_message(json.dumps(["stdin", "echo six times seven is $((6*7))\n"]))
            seen = ""
            while "seven is 42" not in seen:
                message = await socket.read_message()
                self.assertIsNotNone(message, seen)
                kind, *rest = json.loads(message)
                seen += rest[0] if kind == "stdout" else ""
            socket.close()

        run(talk())
        self.assertEqual(self.browser.api("terminals/" + name, "DELETE").status, 204)

    def test_a_page_of_another_site_can_do_nothing(self):
        kernel = self.browser.kernel()
        self.addCleanup(self.browser.api, "kernels/" + kernel, "DELETE")
        kernels = self.browser.json("kernels")
        mine = self.browser.origin(HOME)
        wrong = [None, "null", self.browser.origin(), self.browser.origin("box1--other"), mine + ".evil.org",
                 mine.replace("https", "http"), mine.upper(), f"https://127.0.0.1:{self.jupyter.port}"]
        for origin in wrong:
            for method, path in (("POST", "kernels"), ("PUT", "contents/x.txt"), ("PATCH", "contents/x.txt"),
                                 ("DELETE", "kernels/" + kernel), ("OPTIONS", "kernels")):
                answer = self.browser.api(path, method, {}, origin=origin)
                self.assertEqual(answer.status, 403, (method, origin))
            self.assertEqual(run(self.browser.refused(f"api/kernels/{kernel}/channels", origin=origin)), 403, origin)
        self.assertEqual([kernel["id"] for kernel in self.browser.json("kernels")],
                         [kernel["id"] for kernel in kernels])
        self.assertEqual(self.browser.api("contents/x.txt").status, 404)

    def test_without_a_session_there_is_nothing(self):
        stranger = Browser(self.relay, self.jupyter)
        answer = stranger.api("contents")
        self.assertEqual((answer.status, answer.get("Content-Type")), (401, "application/json"))
        self.assertTrue(json.loads(answer.text)["error"])
        # the relay's own session is none here, nor is Jupyter's token a way around the relay
        answer = self.browser.api("contents", cookie=self.browser.cookies[None])
        self.assertEqual(answer.status, 401)
        answer = stranger.api("contents?token=" + TOKEN, fields=[("Authorization", "token " + TOKEN)])
        self.assertEqual(answer.status, 401)
        self.assertEqual(run(stranger.refused("api/kernels/none/channels", cookie=False)), 401)
        answer = stranger.ask(self.base_url + "tree", HOME, fields=PAGE)
        self.assertEqual(answer.status, 303)
        self.assertTrue(answer.get("Location").startswith(stranger.origin() + "/open/box1/jupyter"))

    def test_what_the_browser_says_of_tokens_does_not_count(self):
        answer = self.browser.api("contents", fields=[("Authorization", "token wrong")])
        self.assertEqual(answer.status, 200, answer.text[:300])

    def test_the_token_stays_behind(self):
        """In everything but Jupyter's own pages: these have it written into them by Jupyter, for their own use."""
        self.browser.api("contents?content=0")
        self.browser.api("kernelspecs")
        self.browser.api("kernels/no-such-thing")
        self.browser.ask(self.base_url + "tree", HOME, fields=PAGE)
        self.browser.ask("/", None, fields=PAGE)
        self.browser.ask("/api/v1/machines")
        self.browser.ask("/api/v1/machines/box1")
        self.assertGreater(len(self.browser.answers), 6)
        for service, target, answer in self.browser.answers:
            for name, value in answer.fields:
                self.assertNotIn(TOKEN, value, (target, name))
                if name.lower() == "set-cookie" and not value.startswith(COOKIE + "="):
                    self.assertNotIn("domain", value.lower(), target)
                    self.assertNotIn("sallyport", value.lower(), target)
                self.assertFalse(name.lower().startswith("access-control-"), target)
            if not service or not answer.get("Content-Type").startswith("text/html"):
                self.assertNotIn(TOKEN, answer.text, target)


class Large:
    """What takes long, and is the same below another path."""

    def put_part(self, path, n, data, last):
        """One part of a large upload, as Jupyter's own pages send it."""
        model = {"type": "file", "format": "base64", "content": base64.b64encode(data).decode(), "name": path,
                 "path": path, "chunk": -1 if last else n}
        answer = self.browser.api("contents/" + path, "PUT", model)
        self.assertIn(answer.status, (200, 201), answer.text[:500])

    def test_a_large_file_goes_up_and_comes_down(self):
        wanted = hashlib.sha256()
        for n, at in enumerate(range(0, BIG, PART), 1):
            data = os.urandom(PART)
            wanted.update(data)
            self.put_part("big.bin", n, data, at + PART >= BIG)
        self.assertEqual(self.browser.json("contents/big.bin?content=0")["size"], BIG)
        got, length = hashlib.sha256(), 0
        with self.browser.wire(HOME, timeout=120) as wire:
            wire.send(self.browser.request(self.base_url + "files/big.bin?download=1", HOME))
            answer = wire.head()
            self.assertEqual(answer.status, 200)
            self.assertIn("attachment", answer.get("Content-Disposition"))
            for piece in wire.pieces(answer):
                got.update(piece)
                length += len(piece)
        self.assertEqual((length, got.hexdigest()), (BIG, wanted.hexdigest()))
        self.assertEqual(self.browser.api("contents/big.bin", "DELETE").status, 204)


class Server(Work, Large, Front):
    pass


class ServerBelow(Work, Front):
    base_url = "/lab/x/"


class Classic(Work, Large, Front):
    kind = "jupyter-notebook"


class ClassicBelow(Work, Front):
    kind = "jupyter-notebook"
    base_url = "/lab/x/"


class Ends(Front):
    """What is open ends with the right to it, or with the machine; and comes back with it."""

    def guest(self, name):
        person = Person(self.world, name, self.relay)
        self.relay.ctl("grant", name, "box1/jupyter")
        return self.visitor(person)

    def check_cut(self, browser, end):
        """A WebSocket at work is closed soon after end(); then nothing more is to be had, and others work on."""
        kernel, other = browser.kernel(), self.browser.kernel()

        async def talk():
            socket = await browser.connect(f"api/kernels/{kernel}/channels")
            mine = await self.browser.connect(f"api/kernels/{other}/channels")
            await send_cell(socket, "while True: print('.', flush=True); __import__('time').sleep(0.05)")
            while json.loads(await socket.read_message())["msg_type"] != "stream":
                pass
            await asyncio.to_thread(end)
            ended = time.monotonic()
            while await socket.read_message() is not None:
                self.assertLess(time.monotonic() - ended, SOON * STRETCH, "it goes on")
            self.assertLess(time.monotonic() - ended, SOON * STRETCH)
            await send_cell(mine, "print('mine')")
            self.assertEqual(await cell_ended(mine), ("mine\n", None))
            mine.close()

        run(talk())
        self.assertNotEqual(browser.api("contents").status, 200)
        for one in (kernel, other):
            self.assertEqual(self.browser.api("kernels/" + one, "DELETE").status, 204)

    def test_revoked(self):
        bob = self.guest("bob")
        self.check_cut(bob, lambda: self.relay.ctl("revoke", "bob", "box1/jupyter"))
        answer = bob.ask(self.base_url, HOME, fields=PAGE)
        self.assertEqual((answer.status, answer.get("Content-Type")), (404, "text/html; charset=utf-8"))
        self.assertIn("box1", answer.text)

    def test_logged_out(self):
        carol = self.guest("carol")
        self.check_cut(carol, lambda: self.assertEqual(carol.order("/api/v1/logout"), 204))
        self.assertEqual(carol.api("contents").status, 401)

    def test_logged_out_everywhere(self):
        dave = self.guest("dave")
        other = Browser(self.relay, self.jupyter).log_in(Person(self.world, "dave", self.relay, known=False))
        self.check_cut(dave, lambda: self.assertEqual(other.order("/api/v1/logout-everywhere"), 204))
        self.assertEqual(dave.api("contents").status, 401)

    def test_user_disabled(self):
        erin = self.guest("erin")
        self.check_cut(erin, lambda: self.relay.ctl("user", "disable", "erin"))

    def test_user_removed(self):
        frank = self.guest("frank")
        self.check_cut(frank, lambda: self.relay.ctl("user", "remove", "frank"))

    def check_unavailable(self, *words):
        """A page for people, with the reason and a way on; JSON for programs."""
        page = self.browser.ask(self.base_url, HOME, fields=PAGE)
        self.assertEqual((page.status, page.get("Content-Type")), (503, "text/html; charset=utf-8"))
        answer = self.browser.api("contents")
        self.assertEqual((answer.status, answer.get("Content-Type")), (503, "application/json"))
        for word in words:
            self.assertIn(word, page.text)
            self.assertIn(word, json.loads(answer.text)["error"])
        self.assertIn(self.browser.origin(HOME), page.text)

    def test_the_machine_goes_and_comes_back(self):
        kernel = self.browser.kernel()

        async def left():
            socket = await self.browser.connect(f"api/kernels/{kernel}/channels")
            await send_cell(socket, "kept = 42")
            self.assertEqual(await cell_ended(socket), ("", None))
            await asyncio.to_thread(self.agent.process.stop)
            while await socket.read_message() is not None:
                pass

        async def back():
            socket = await self.browser.connect(f"api/kernels/{kernel}/channels")
            await send_cell(socket, "print(kept)")
            self.assertEqual(await cell_ended(socket), ("42\n", None))
            socket.close()

        run(left())
        self.relay.wait_offline("box1")
        self.check_unavailable("box1", "offline since")
        self.agent.start("jupyter")
        run(back())
        self.assertEqual(self.browser.api("kernels/" + kernel, "DELETE").status, 204)

    def test_jupyter_goes_and_comes_back_with_another_token(self):
        self.jupyter.stop()
        wait_for("it to be withdrawn", lambda: "jupyter" not in self.relay.services("box1"), 30)
        self.check_unavailable("box1", "jupyter")
        self.jupyter.more = ["--ServerApp.token=another-token-of-the-test"]
        try:
            self.jupyter.start()
            wait_for("the new token to be known", lambda: self.browser.api("contents").status == 200, 30)
        finally:
            self.jupyter.stop()
            self.jupyter.more = []
            self.jupyter.start()
            wait_for("the old token to be known", lambda: self.browser.api("contents").status == 200, 30)


if __name__ == "__main__":
    unittest.main()
