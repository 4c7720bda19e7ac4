"""The right to a service in the browser: how it is handed over, what ends with it, and what is said without it."""
import json
import time
import unittest

from lib import STRETCH, Person
from lib.front import Proxy
from lib.web import Visitor, request


class Ends(Proxy):
    """What happens to open streams, and what is said, when the machine, the service or the right is gone."""

    def stream(self, browser, target="/quiet"):
        """A download that goes on as long as it may."""
        wire = browser.wire("box1--app", timeout=60)
        self.addCleanup(wire.close)
        wire.send(browser.request(target, "box1--app"))
        answer = wire.head()
        self.assertEqual(answer.status, 200, answer.fields)
        return wire

    def check_ended(self, wire):
        """By itself, though nothing flows. The bound is for a busy test machine; a second is what people notice."""
        deadline = time.monotonic() + 15 * STRETCH
        wire.socket.settimeout(15 * STRETCH)
        try:
            while wire.more():
                self.assertLess(time.monotonic(), deadline, "a live stream outlived the right to it")
        except TimeoutError:
            self.fail("a live stream outlived the right to it")

    def person(self, name, admin=False):
        person = Person(self.world, name, self.relay, admin=admin)
        if not admin:
            self.relay.ctl("grant", name, "box1/app")
        browser = Visitor(self.relay, tls=self.tls).log_in(person)
        browser.enter("box1--app")
        return browser

    def test_revoked(self):
        browser = self.person("bob")
        wires = [self.stream(browser), self.stream(browser, "/ticks")]
        other = self.stream(self.browser, "/ticks")
        self.relay.ctl("revoke", "bob", "box1/app")
        for wire in wires:
            self.check_ended(wire)
        self.assertIn(browser.ask("/page", "box1--app").status, (403, 404))
        for _ in range(20):
            self.assertTrue(other.some(), "a stream of somebody else was cut")

    def test_user_disabled_and_removed(self):
        for name, words in (("carol", ("user", "disable", "carol")), ("dave", ("user", "remove", "dave"))):
            browser = self.person(name)
            wire = self.stream(browser)
            self.relay.ctl(*words)
            self.check_ended(wire)
            self.assertNotEqual(browser.ask("/page", "box1--app").status, 200)

    def test_logged_out(self):
        browser = self.person("erin", admin=True)
        wire = self.stream(browser)
        me = json.loads(browser.ask("/api/v1/me").text)
        answer = browser.ask("/api/v1/logout", method="POST", fields=[("X-Sallyport-Token", me["csrf_token"])])
        self.assertIn(answer.status, (200, 204))
        self.check_ended(wire)
        self.assertNotEqual(browser.ask("/page", "box1--app").status, 200)

    def test_without_a_session(self):
        stranger = Visitor(self.relay, tls=self.tls)
        page = stranger.ask("/page", "box1--app", fields=[
            ("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")])
        self.assertIn(page.status, (302, 303, 401))
        if page.status != 401:
            # A person who follows a bookmark is brought through the relay to where he wanted.
            self.assertTrue(page.get("Location").startswith(stranger.origin() + "/open/box1/app"))
        call = stranger.ask("/page", "box1--app", fields=[("Accept", "application/json")])
        self.assertEqual(call.status, 401)
        self.assertTrue(json.loads(call.text)["error"])
        self.assertFalse(any(request.get("Accept") == "application/json" for request in self.app.seen("/page")))

    def test_without_permission(self):
        frank = Person(self.world, "frank", self.relay)
        browser = Visitor(self.relay, tls=self.tls).log_in(frank)
        for path in ("/open/box1/app", "/open/box1/ssh", "/open/nowhere/app", "/open/box1/nothing"):
            answer = browser.ask(path)
            self.assertIn(answer.status, (403, 404), path)
        # What he may not see is answered exactly as what is not there.
        self.assertEqual(browser.ask("/open/box1/app").status, browser.ask("/open/nowhere/app").status)

    def test_offline(self):
        """The service first, then the machine; then both are back and the same session goes on."""
        html = [("Accept", "text/html,*/*;q=0.8")]
        self.agent.process.stop()
        self.relay.wait_offline("box1")
        page = self.ask("/page", fields=html)
        self.assertEqual((page.status, page.get("Content-Type").split(";")[0]), (503, "text/html"))
        self.assertIn("box1", page.text)
        self.assertIn("offline", page.text.lower())
        call = self.ask("/page", fields=[("Accept", "application/json")])
        self.assertEqual(call.status, 503)
        self.assertIn("offline", json.loads(call.text)["error"])
        self.agent.start("ssh", "app")
        self.assertEqual(self.ask("/page").status, 200)

    def test_a_relay_that_starts_anew_knows_its_sessions(self):
        self.relay.restart()
        self.relay.wait_online("box1", "app")
        self.assertEqual(self.ask("/page").status, 200)


class Hop(Proxy):
    def test_a_code_works_once(self):
        code = self.browser.code("box1--app", "/page")
        fresh = Visitor(self.relay, tls=self.tls)
        first = fresh.ask(code, "box1--app")
        self.assertIn(first.status, (302, 303))
        self.assertEqual(first.get("Referrer-Policy"), "no-referrer")
        self.assertIn("no-store", first.get("Cache-Control"))
        parts = {part.strip().lower() for part in first.get("Set-Cookie").split(";")[1:]}
        self.assertLessEqual({"secure", "httponly", "path=/"}, parts)
        self.assertFalse([part for part in parts if part.startswith("domain")])
        again = Visitor(self.relay, tls=self.tls).ask(code, "box1--app")
        self.assertNotIn("Set-Cookie", [name for name, _ in again.fields])
        self.assertNotIn(again.status, (200,))

    def test_a_code_is_for_one_service(self):
        for other in ("box1--board", None):
            answer = Visitor(self.relay, tls=self.tls).ask(self.browser.code("box1--app"), other)
            self.assertFalse(answer.all("Set-Cookie"))
            self.assertGreaterEqual(answer.status, 400)

    def test_looking_at_a_code_does_not_use_it_up(self):
        code = self.browser.code("box1--app")
        browser = Visitor(self.relay, tls=self.tls)
        for how in ({"method": "HEAD"}, {"fields": [("Sec-Purpose", "prefetch")]},
                    {"fields": [("Sec-Purpose", "prefetch;prerender")]}):
            self.assertFalse(browser.ask(code, "box1--app", **how).all("Set-Cookie"))
        self.assertTrue(browser.ask(code, "box1--app").all("Set-Cookie"))

    def test_wrong_codes(self):
        for code in ("A" * 43, "", "x", "A" * 5000, "%00", "..%2f", "A" * 43 + "/x"):
            answer = Visitor(self.relay, tls=self.tls).ask("/.sallyport/enter/" + code, "box1--app")
            self.assertGreaterEqual(answer.status, 400, code)
            self.assertFalse(answer.all("Set-Cookie"))

    def test_it_leads_nowhere_else(self):
        for to in ("https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)", "/%0d%0aX:1",
                   "\\\\evil", "/\t/evil.example", "evil"):
            quoted = to.replace("\\", "%5C").replace("\t", "%09")
            answer = self.browser.ask(f"/open/box1/app?to={quoted}")
            if answer.status >= 400:
                continue
            where = answer.get("Location")
            self.assertTrue(where.startswith(self.browser.origin("box1--app") + "/.sallyport/enter/"), where)
            second = self.browser.ask(where[len(self.browser.origin("box1--app")):], "box1--app")
            where = second.get("Location") or "/"
            self.assertRegex(where, r"^(" + self.browser.origin("box1--app") + r")?/(?![/\\])", to)
            self.assertNotIn("X:1", str(second.fields))

    def test_the_page_wanted_is_reached_with_its_query(self):
        answer = self.browser.enter("box1--app", "/echo%3Fa%3D1%26b%3D%2520")
        self.assertIn(answer.get("Location"), ("/echo?a=1&b=%20", self.browser.origin("box1--app") + "/echo?a=1&b=%20"))

    def test_our_own_pages_on_a_service_s_host(self):
        """Whatever lies below /.sallyport/ is ours, and never the application's."""
        self.assertGreaterEqual(self.ask("/.sallyport/nothing").status, 400)
        self.ask("/.sallyport/echo")
        self.assertFalse(self.app.seen("/.sallyport/nothing") or self.app.seen("/.sallyport/echo"))
        said = self.raw(request("GET", "http://x/.sallyport/x", self.browser.host("box1--app")))
        self.assertIn(b"HTTP/1.1 400", said)

    def raw(self, data):
        with self.wire() as wire:
            wire.send(data)
            return wire.rest()


if __name__ == "__main__":
    unittest.main()
