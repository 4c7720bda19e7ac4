"""The page over HTTPS: one-time logins, sessions, the API, and what a browser of somebody else cannot do."""
import http.client
import json
import re
import socket
import ssl
import time
import unittest

from lib import STRETCH, Case, Person


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode("utf-8", "replace")


class Page(Case):
    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.origin = f"https://localhost:{cls.relay.port}"
        cls.context = ssl.create_default_context()
        cls.context.check_hostname = False
        cls.context.verify_mode = ssl.CERT_NONE

    def ask(self, path, method="GET", cookie=None, host=None, plain=False, **headers):
        kind = http.client.HTTPConnection if plain else http.client.HTTPSConnection
        more = {} if plain else {"context": self.context}
        connection = kind("127.0.0.1", self.relay.port, timeout=30 * STRETCH, **more)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host or f"localhost:{self.relay.port}")
            if cookie:
                connection.putheader("Cookie", cookie)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if method == "POST":
                connection.putheader("Content-Length", "0")
            connection.endheaders()
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def link(self, person):
        """The path of a new one-time login, out of the link that `login` prints."""
        done = person.verb("login")
        self.assertEqual(done.returncode, 0, done.stderr)
        match = re.fullmatch(re.escape(self.origin) + r"(/login/[A-Za-z0-9_-]{43})", done.stdout.strip())
        self.assertTrue(match, done.stdout)
        return match.group(1)

    def log_in(self, person):
        """A session's cookie, as a browser sends it back."""
        answer = self.ask(self.link(person))
        self.assertIn(answer.status, (302, 303))
        return answer.headers["Set-Cookie"].split(";")[0]

    def test_a_login_link_works_once(self):
        path = self.link(self.alice)
        self.assertNotIn("Set-Cookie", self.ask(path, "HEAD").headers, "a preview has used the link up")
        answer = self.ask(path)
        self.assertIn(answer.status, (302, 303))
        self.assertEqual(answer.headers["Location"], "/")
        parts = {part.strip().lower() for part in answer.headers["Set-Cookie"].split(";")[1:]}
        self.assertTrue(answer.headers["Set-Cookie"].startswith("__Host-sallyport="))
        self.assertLessEqual({"secure", "httponly", "path=/"}, parts)
        again = self.ask(path)
        self.assertEqual(again.status, 403)
        self.assertNotIn("Set-Cookie", again.headers)

    def test_wrong_codes(self):
        for code in ("A" * 43, "", "x", "A" * 5000, "%00", "../api/v1/machines"):
            answer = self.ask(f"/login/{code}")
            self.assertIn(answer.status, (400, 403, 404, 414, 431), code)
            self.assertNotIn("Set-Cookie", answer.headers)

    def test_the_page_and_the_page_without_a_login(self):
        cookie = self.log_in(self.alice)
        page = self.ask("/", cookie=cookie)
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["Content-Type"])
        without = self.ask("/")
        self.assertIn("ssh", without.text)
        self.assertNotIn("box1", without.text)

    def test_the_api_says_what_list_says(self):
        cookie = self.log_in(self.alice)
        answer = self.ask("/api/v1/machines", cookie=cookie)
        self.assertEqual(answer.status, 200)
        self.assertIn("application/json", answer.headers["Content-Type"])
        self.assertIn("no-store", answer.headers["Cache-Control"])
        [machine] = json.loads(answer.text)
        [listed] = json.loads(self.alice.verb("list", "--json").stdout)
        for member in ("name", "online", "since", "route", "services"):
            self.assertEqual(machine[member], listed[member])

    def test_the_api_without_a_login(self):
        for cookie in (None, "__Host-sallyport=", "__Host-sallyport=" + "A" * 43, "__Host-sallyport=" + "A" * 9000):
            answer = self.ask("/api/v1/machines", cookie=cookie)
            self.assertIn(answer.status, (401, 403, 431))
            self.assertNotIn("box1", answer.text)

    def test_a_member_sees_what_was_granted(self):
        cookie = self.log_in(self.bob)
        self.assertEqual(json.loads(self.ask("/api/v1/machines", cookie=cookie).text), [])
        self.relay.ctl("grant", "bob", "box1/ssh")
        try:
            [machine] = json.loads(self.ask("/api/v1/machines", cookie=cookie).text)
            self.assertEqual([service["name"] for service in machine["services"]], ["ssh"])
        finally:
            self.relay.ctl("revoke", "bob", "box1/ssh")
        self.assertEqual(json.loads(self.ask("/api/v1/machines", cookie=cookie).text), [])

    def test_a_disabled_user_is_out_at_once(self):
        carol = Person(self.world, "carol", self.relay, admin=True)
        cookie = self.log_in(carol)
        self.assertEqual(self.ask("/api/v1/machines", cookie=cookie).status, 200)
        link = self.link(carol)
        self.relay.ctl("user", "disable", "carol")
        self.assertEqual(self.ask("/api/v1/machines", cookie=cookie).status, 401)
        self.assertEqual(self.ask(link).status, 403)

    def test_a_session_outlives_the_relay(self):
        cookie = self.log_in(self.alice)
        self.relay.restart()
        self.assertEqual(self.ask("/api/v1/machines", cookie=cookie).status, 200)
        self.relay.wait_online("box1", "ssh")

    def test_log_out_wants_the_exact_origin(self):
        cookie = self.log_in(self.alice)
        token = {"X_Sallyport_Token": json.loads(self.ask("/api/v1/me", cookie=cookie).text)["csrf_token"]}
        for headers in (token, {"Origin": "https://evil.example", **token}, {"Origin": "null", **token},
                        {"Origin": self.origin.replace("https", "http"), **token},
                        {"Origin": "https://localhost", **token}, {"Origin": self.origin},
                        {"Origin": self.origin, "Sec_Fetch_Site": "cross-site", **token},
                        {"Origin": self.origin, "Sec_Fetch_Site": "same-site", **token}):
            answer = self.ask("/api/v1/logout", "POST", cookie=cookie, **headers)
            self.assertEqual(answer.status, 403, headers)
        self.assertIn(self.ask("/api/v1/logout", "GET", cookie=cookie).status, (404, 405))
        self.assertEqual(self.ask("/api/v1/machines", cookie=cookie).status, 200)
        answer = self.ask("/api/v1/logout", "POST", cookie=cookie, Origin=self.origin, **token)
        self.assertIn(answer.status, (200, 204, 303))
        self.assertEqual(self.ask("/api/v1/machines", cookie=cookie).status, 401)

    def test_foreign_hosts_are_misdirected(self):
        cookie = self.log_in(self.alice)
        for host in ("evil.example", f"evil.example:{self.relay.port}", "localhost:1", "localhost.evil.example"):
            for plain in (False, True):
                answer = self.ask("/api/v1/machines", cookie=cookie, host=host, plain=plain)
                self.assertEqual(answer.status, 421, (host, plain))
                self.assertNotIn("box1", answer.text)

    def test_plain_http_is_good_enough_on_the_machine_itself(self):
        cookie = self.log_in(self.alice)
        for host in ("localhost", "127.0.0.1"):
            answer = self.ask("/api/v1/machines", cookie=cookie, host=f"{host}:{self.relay.port}", plain=True)
            self.assertEqual(answer.status, 200)
            self.assertIn("box1", answer.text)
            self.assertNotIn("Strict-Transport-Security", answer.headers)

    def test_health_is_for_anyone(self):
        answer = self.ask("/healthz")
        self.assertEqual((answer.status, answer.text.strip()), (200, "ok"))

    def test_headers_that_keep_the_page_safe(self):
        cookie = self.log_in(self.alice)
        for path in ("/", "/api/v1/machines", "/no-such-page"):
            headers = self.ask(path, cookie=cookie).headers
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"], path)
            self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"], path)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff", path)
            self.assertEqual(headers["Referrer-Policy"], "no-referrer", path)

    def test_paths_that_are_none(self):
        cookie = self.log_in(self.alice)
        for path in ("/no-such-page", "/assets/../relay.db", "/assets/%2e%2e/relay.db", "/assets/", "//evil.example/",
                     "/api/v1/", "/api/v2/machines", "/.git/config"):
            self.assertEqual(self.ask(path, cookie=cookie).status, 404, path)
        for method in ("DELETE", "PUT", "OPTIONS", "TRACE"):
            self.assertIn(self.ask("/api/v1/machines", method, cookie=cookie).status, (404, 405, 501), method)

    def test_the_page_s_assets_are_served(self):
        text = self.ask("/", cookie=self.log_in(self.alice)).text
        assets = re.findall(r'(?:src|href)="(/[^"]+\.(?:css|js|svg))"', text)
        self.assertTrue(assets)
        for path in assets:
            answer = self.ask(path)
            self.assertEqual(answer.status, 200, path)
            self.assertTrue(answer.text)
        self.assertNotRegex(text, r"https?://(?!localhost)", "the page fetches from elsewhere")

    def test_old_tls_is_refused(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", self.relay.port), timeout=20 * STRETCH) as connection:
            with self.assertRaises(OSError):
                old.wrap_socket(connection, server_hostname="localhost")

    def test_requests_one_after_the_other_on_one_connection(self):
        connection = http.client.HTTPSConnection("localhost", self.relay.port, timeout=30 * STRETCH,
                                                 context=self.context)
        self.addCleanup(connection.close)
        took = []
        for _ in range(200):
            began = time.monotonic()
            connection.request("GET", "/healthz")
            self.assertEqual(connection.getresponse().read().strip(), b"ok")
            took.append(time.monotonic() - began)
        # Nagle or a delayed answer would make 40 ms of each of them; a busy machine, of some.
        self.assertLess(sorted(took)[50], 0.030)


if __name__ == "__main__":
    unittest.main()
