"""Certificates while the relay runs: got by ACME from a real server, replaced, broken, and what testssl.sh thinks."""
import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import unittest

from lib import RELAY, STRETCH, Case, Relay, free_port, run, wait_for

NAME = "relay.test"
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config")
HOOK = os.path.join(CONFIG, "uacme-hook")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # where libcurl, and so uacme, looks


def openssl(*words):
    done = run(["openssl", *[str(word) for word in words]])
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def make_pair(cert, key, names, days=10):
    """A self-signed pair for these names, one file after the other."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj",
            f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names), "-out", cert,
            "-keyout", key)


class Browser:
    """One connection that stays open; `cert` is what the relay showed on it."""

    def __init__(self, port, name=NAME, context=None):
        if context is None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", port), timeout=30 * STRETCH)
        self.socket = context.wrap_socket(raw, server_hostname=name)
        self.cert = hashlib.sha256(self.socket.getpeercert(True)).hexdigest()
        self.http = http.client.HTTPConnection("127.0.0.1", port)
        self.http.sock = self.socket

    def ask(self, path, host, method="GET"):
        self.http.request(method, path, headers={"Host": host})
        response = self.http.getresponse()
        return response.status, response.read()

    def close(self):
        self.http.close()
        self.socket.close()


class Stand(Case):
    """A relay whose certificate lies where uacme puts it, and is there before the relay starts."""

    @classmethod
    def begin(cls):
        cls.confdir = cls.world.folder("uacme")
        os.makedirs(cls.confdir / NAME)
        os.makedirs(cls.confdir / "private" / NAME, mode=0o700)
        cls.cert = cls.confdir / NAME / "cert.pem"
        cls.key = cls.confdir / "private" / NAME / "key.pem"
        make_pair(cls.cert, cls.key, [NAME])
        cls.webroot = cls.world.folder("webroot")
        cls.port = free_port()
        cls.relay = Relay(cls.world, port=cls.port,
                          extra=["--name", NAME, "--certificate", str(cls.cert), "--certificate_key", str(cls.key),
                                 "--acme_webroot", str(cls.webroot)])

    def seen(self):
        """The fingerprint that a new connection is shown."""
        browser = Browser(self.port)
        browser.close()
        return browser.cert

    def on_disk(self):
        with open(self.cert, encoding="ascii") as file:
            first = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END", file.read(), re.DOTALL).group(1)
        return hashlib.sha256(base64.b64decode(first)).hexdigest()

    def lines(self, pattern):
        return len(re.findall(pattern, self.relay.process.text()))

    def wait_taken(self):
        wait_for("the relay to show the certificate on disk", lambda: self.seen() == self.on_disk(), timeout=40)

    def put(self, names, days):
        """Another pair, which the relay is told of."""
        make_pair(self.cert, self.key, names, days)
        self.relay.process.signal(signal.SIGHUP)
        self.wait_taken()

    def alive(self, browser):
        status, body = browser.ask("/healthz", NAME)
        self.assertEqual((status, body), (200, b"ok\n"))


class Certificates(Stand):
    def test_its_end_and_its_names_are_judged(self):
        self.put([NAME, f"*.{NAME}"], days=9)
        self.relay.process.wait_line(r"cert\.pem expires in [78] days")
        self.put(["elsewhere.test"], days=90)
        self.relay.process.wait_line(rf"cert\.pem does not name {re.escape(NAME)}: browsers will refuse the page")
        self.put([NAME], days=90)
        self.relay.process.wait_line(rf"cert\.pem does not name \*\.{re.escape(NAME)}")

    def test_check_config_tries_the_pair(self):
        config = self.world.path("checked.ini")

        def check(cert, key):
            config.write_text(f"certificate = {cert}\ncertificate_key = {key}\n", encoding="utf-8")
            return run([RELAY, "check-config", "--config", config])

        other_cert, other_key = self.world.path("other-cert.pem"), self.world.path("other-key.pem")
        make_pair(other_cert, other_key, [NAME])
        self.assertEqual(check(other_cert, other_key).returncode, 0)
        for cert, key, words in ((other_cert, self.key, "is not the key of the certificate"),
                                 (config, other_key, "not a usable certificate"),
                                 (self.world.path("none.pem"), other_key, "not a usable certificate"),
                                 (other_cert, other_cert, "not a usable private key")):
            done = check(cert, key)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)

    def test_a_bad_file_keeps_the_old_one_and_is_told_once(self):
        self.put([NAME], days=60)
        before, browser = self.seen(), Browser(self.port)
        told = self.lines(r"not a usable certificate.* The old certificate stays in use")
        self.cert.write_text("this is not a certificate\n", encoding="ascii")
        wait_for("the complaint", lambda: self.lines(r"not a usable certificate.* The old certificate stays in use") ==
                 told + 1, timeout=60)
        self.assertEqual(self.seen(), before)
        self.alive(browser)
        make_pair(self.cert, self.key, [NAME], days=61)
        self.wait_taken()
        self.assertEqual(self.lines(r"not a usable certificate"), told + 1)
        self.alive(browser)
        browser.close()

    def test_files_replaced_one_after_the_other(self):
        """The certificate is there some time before its key: nothing is complained of, and both are taken."""
        fresh_cert, fresh_key = self.world.path("fresh-cert.pem"), self.world.path("fresh-key.pem")
        make_pair(fresh_cert, fresh_key, [NAME], days=62)
        complaints = self.lines("stays in use")
        os.replace(fresh_cert, self.cert)
        os.replace(fresh_key, self.key)
        self.wait_taken()
        self.assertEqual(self.lines("stays in use"), complaints)

    def test_links_that_move(self):
        """As certbot has it: the path leads through a link, and the link is what changes."""
        folders = [self.world.folder(f"uacme/{NAME}/live-{i}") for i in range(2)]
        for folder in folders:
            make_pair(folder / "cert.pem", folder / "key.pem", [NAME], days=63)
        link = self.cert.with_name("live")
        link.symlink_to(folders[0])
        for path, name in ((self.cert, "cert.pem"), (self.key, "key.pem")):
            path.unlink()
            path.symlink_to(link / name)
        self.wait_taken()
        first = self.seen()
        moved = self.cert.with_name("live-moved")
        moved.symlink_to(folders[1])
        os.replace(moved, link)
        self.wait_taken()
        self.assertNotEqual(self.seen(), first)
        for path in (self.cert, self.key):
            path.unlink()
        self.put([NAME], days=64)

    def test_sighup_reads_them_at_once(self):
        self.wait_taken()
        good = self.lines(r"cert\.pem is good until")
        self.relay.process.signal(signal.SIGHUP)
        wait_for("a certificate that was read again", lambda: self.lines(r"cert\.pem is good until") == good + 1)
        browser = Browser(self.port)
        self.alive(browser)
        browser.close()

    def challenge(self, token, method="GET", host=NAME, tls=False):
        path = f"/.well-known/acme-challenge/{token}"
        if tls:
            browser = Browser(self.port)
            try:
                return browser.ask(path, host, method)
            finally:
                browser.close()
        plain = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * STRETCH)
        try:
            plain.putrequest(method, path, skip_host=True)
            plain.putheader("Host", host)
            if method == "POST":
                plain.putheader("Content-Length", "0")
            plain.endheaders()
            response = plain.getresponse()
            return response.status, response.read()
        finally:
            plain.close()

    def test_challenges_are_answered_and_nothing_else(self):
        token, answer = "A-good_token" * 3, "A-good_token.thumbprint"
        (self.webroot / token).write_text(answer, encoding="ascii")
        for tls in (False, True):
            for host in (NAME, f"{NAME}:{self.port}", "box1.elsewhere.test"):
                self.assertEqual(self.challenge(token, host=host, tls=tls), (200, answer.encode()), (tls, host))
            self.assertEqual(self.challenge(token, method="HEAD", tls=tls), (200, b""))
            self.assertEqual(self.challenge(token, method="POST", tls=tls)[0], 405)
        self.assertEqual(self.challenge(token, host=f"box1--jupyter.{NAME}:{self.port}"), (200, answer.encode()))
        secret = self.world.path("secret-of-the-relay-itself")
        secret.write_text("secret", encoding="ascii")
        (self.webroot / "a-link-to-somewhere-else").symlink_to(secret)
        os.mkfifo(self.webroot / "a-pipe-that-nobody-writes")
        (self.webroot / "a-folder-and-no-file").mkdir()
        (self.webroot / "a-folder-and-no-file" / token).write_text("below", encoding="ascii")
        (self.webroot / "a-file-that-is-too-long").write_bytes(b"x" * 4097)
        (self.webroot / "short").write_text("short", encoding="ascii")
        (self.webroot / ".a-hidden-file-of-ours").write_text("hidden", encoding="ascii")
        for bad in ("a-link-to-somewhere-else", "a-pipe-that-nobody-writes", "a-folder-and-no-file",
                    f"a-folder-and-no-file/{token}", "a-file-that-is-too-long", "short", ".a-hidden-file-of-ours",
                    "", "no-such-token-was-ever-made", f"..%2f{self.webroot.name}%2f{token}",
                    f"../{self.webroot.name}/{token}", f"{token}%00", f"{token}.", "x" * 129, "%2e%2e%2fsecret-of-the"):
            status, body = self.challenge(bad)
            self.assertEqual(status, 404, bad)
            for word in (b"secret", b"below", b"hidden", b"xxx", answer.encode()):
                self.assertNotIn(word, body, bad)


class Acme(Stand):
    """uacme against pebble, both as Debian has them, on loopback."""

    @classmethod
    def begin(cls):
        super().begin()
        cls.dns, cls.dns_api, cls.directory, cls.pebble_api = (free_port() for _ in range(4))
        cls.ca_cert, cls.ca_key = cls.world.path("pebble-cert.pem"), cls.world.path("pebble-key.pem")
        make_pair(cls.ca_cert, cls.ca_key, ["localhost"])
        config = cls.world.path("pebble.json")
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{cls.directory}", "managementListenAddress": f"127.0.0.1:{cls.pebble_api}",
            "certificate": str(cls.ca_cert), "privateKey": str(cls.ca_key), "httpPort": cls.port,
            "tlsPort": cls.port}}), encoding="ascii")
        names = cls.world.start("names", [
            "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{cls.dns}",
            "-management", f"127.0.0.1:{cls.dns_api}", "-http01", "", "-https01", "", "-tlsalpn01", ""],
            clean_end=False)
        names.wait_line("Starting management server")
        server = cls.world.start("pebble", ["pebble", "-config", config, "-dnsserver", f"127.0.0.1:{cls.dns}"],
                                 clean_end=False,
                                 env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"})
        server.wait_line("ACME directory available")
        done = cls.uacme("-y", "new")
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    @classmethod
    def trust(cls, *argv, cwd=None, **environment):
        """uacme trusts what lies at one place only: there it finds pebble's certificate, in a mount of its own."""
        there = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c",
                 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", str(cls.ca_cert), BUNDLE]
        return run([*there, *argv], timeout=120, cwd=cwd,
                   env={**os.environ, "SALLYPORT_ACME_WEBROOT": str(cls.webroot), **environment})

    @classmethod
    def uacme(cls, *words, **environment):
        return cls.trust("uacme", "-v", "-c", str(cls.confdir), "-a", f"https://localhost:{cls.directory}/dir", *words,
                         **environment)

    def trusting(self):
        """What a browser that trusts pebble would see."""
        context = ssl.create_default_context(cafile=str(self.ca_cert))
        api = http.client.HTTPSConnection("localhost", self.pebble_api, context=context, timeout=30 * STRETCH)
        api.request("GET", "/roots/0")
        root = api.getresponse().read().decode("ascii")
        api.close()
        return ssl.create_default_context(cadata=root)

    def test_http_01_through_the_running_relay(self):
        self.put([NAME], days=10)
        before = Browser(self.port)
        self.alive(before)
        done = self.uacme("-h", HOOK, "issue", NAME)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.wait_taken()
        self.assertEqual(os.listdir(self.webroot), [])
        after = Browser(self.port, context=self.trusting())
        self.alive(after)
        self.assertNotEqual(after.cert, before.cert)
        self.alive(before)
        before.close()
        after.close()
        done = self.uacme("-h", HOOK, "issue", NAME)
        self.assertEqual(done.returncode, 1, "there was nothing to do")

    def test_a_wildcard_by_dns_01(self):
        script = self.world.path("dns")
        script.write_text(
            "#!/bin/sh\nset -eu\ncase $1 in\n"
            "set) body=$(printf '{\"host\":\"%s.\",\"value\":\"%s\"}' \"$2\" \"$3\") ;;\n"
            "clear) body=$(printf '{\"host\":\"%s.\"}' \"$2\") ;;\nesac\n"
            f'exec curl -sf -d "$body" "http://127.0.0.1:{self.dns_api}/$1-txt"\n', encoding="ascii")
        script.chmod(0o700)
        done = self.uacme("-h", HOOK, "-f", "issue", NAME, f"*.{NAME}", SALLYPORT_ACME_DNS=str(script))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.wait_taken()
        for name in (NAME, f"box1--jupyter.{NAME}"):
            browser = Browser(self.port, name, self.trusting())
            self.alive(browser)
            browser.close()

    def test_the_commands_of_the_unit(self):
        """In an empty folder first; the next day there is nothing to do, and no second account is made."""
        with open(os.path.join(CONFIG, "sallyport-acme.service.in"), encoding="utf-8") as file:
            unit = file.read().replace("@SALLYPORT_LIBEXEC_DIR@", CONFIG)
        first = re.search(r"^ExecStartPre=-/bin/sh -c '(.*)'$", unit, re.MULTILINE).group(1)
        then = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE).group(1)
        self.assertIn("\nSuccessExitStatus=1\n", unit)
        for expected in (0, 1):
            done = [self.trust("sh", "-fc", command, cwd=self.world.folder("unit"), SALLYPORT_ACME_NAMES=NAME,
                               SALLYPORT_ACME_OPTIONS=f"-a https://localhost:{self.directory}/dir")
                    for command in (first, then)]
            self.assertEqual([command.returncode for command in done], [0, expected], [c.stderr for c in done])
            self.assertNotIn("account", done[0].stderr)
        self.assertTrue((self.world.path("unit") / "uacme" / NAME / "cert.pem").exists())

    def test_a_name_that_is_not_ours_is_not_had(self):
        """The hook declines, or nobody answers: no file is left, and the old certificate stays."""
        before = self.seen()
        done = self.uacme("-h", HOOK, "-f", "issue", NAME, SALLYPORT_ACME_WEBROOT=str(self.world.folder("nowhere")))
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        done = self.uacme("-h", HOOK, "-f", "issue", NAME, f"*.{NAME}")  # no program for dns-01
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(os.listdir(self.world.path("nowhere")), [])
        self.assertEqual(self.seen(), before)


class Scan(Case):
    """What the authors of testssl.sh think of the relay's TLS, with its self-made certificate."""

    # What any certificate has that no authority has signed; and the scanner's own complaint about its openssl.
    EXPECTED = {"cert_chain_of_trust", "cert_revocation", "engine_problem"}
    # When its openssl hangs up before the ticket of TLS 1.3 is there, it has none to come back with.
    UNTRIED = ("sessionresumption_ticket", "check failed because of connect problem")

    def test_nothing_is_worse_than_ok(self):
        relay = Relay(self.world)
        found = self.world.path("testssl.json")
        # Protocols, kinds of ciphers, forward secrecy, the certificate, and what has a name.
        done = run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
                    "--jsonfile", str(found), "-p", "-s", "-f", "-S", "-U", f"https://localhost:{relay.port}/"],
                   timeout=500)
        findings = json.loads(found.read_text(encoding="utf-8"))
        seen = {finding["id"] for finding in findings}
        for needed in ("TLS1_3", "cipherlist_AVERAGE", "PFS", "cert_keySize", "heartbleed", "LUCKY13", "BREACH"):
            self.assertIn(needed, seen, done.stdout[-3000:])
        worse = [(finding["id"], finding["severity"], finding["finding"]) for finding in findings
                 if finding["severity"] not in ("OK", "INFO", "DEBUG") and finding["id"] not in self.EXPECTED
                 and (finding["id"], finding["finding"]) != self.UNTRIED]
        self.assertEqual(worse, [])


if __name__ == "__main__":
    unittest.main()
