"""The relay gives up what it does not need, and still gets all that it does: certificates, prices, challenges."""
import hashlib
import http.client
import os
import pathlib
import signal
import ssl

from lib import STRETCH, Case, Person, Relay, free_port, run, wait_for

NAME = "relay.test"


def make_pair(folder, number):
    """certN.pem and keyN.pem, as certbot numbers them; the certificate's SHA-256."""
    cert, key = folder / f"cert{number}.pem", folder / f"key{number}.pem"
    done = run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "60", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},DNS:*.{NAME}", "-out", str(cert),
                "-keyout", str(key)])
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text(encoding="ascii"))).hexdigest()


def link(path, target):
    """As certbot and deployments do it: the link is there at every moment."""
    fresh = path.with_name(f".{path.name}")
    fresh.symlink_to(target)
    os.replace(fresh, path)


class Sealed(Case):
    @classmethod
    def begin(cls):
        cls.live, cls.archive = cls.world.folder("le") / "live", cls.world.folder("le") / "archive"
        cls.live.mkdir()
        cls.archive.mkdir()
        cls.first = make_pair(cls.archive, 1)
        cls.show(cls.archive, 1)
        cls.prices = cls.world.folder("prices") / "prices.ini"
        cls.prices.write_text("[gpu *]\nper_hour = 1\n", encoding="ascii")
        cls.webroot = cls.world.folder("served") / "later" / "acme"
        cls.config = cls.world.path("relay.ini")
        cls.config.write_text(
            f"certificate = {cls.live}/cert.pem\ncertificate_key = {cls.live}/key.pem\nprices = {cls.prices}\n"
            f"acme_webroot = {cls.webroot}\n", encoding="utf-8")
        cls.relay = Relay(cls.world, port=free_port(), extra=["--name", NAME, "--config", str(cls.config)])
        cls.relay.process.wait_line("no users yet")
        cls.has_landlock = "not sealed: this kernel has no Landlock" not in cls.relay.process.text()

    @classmethod
    def show(cls, folder, number):
        for name in ("key", "cert"):
            link(cls.live / f"{name}.pem", folder / f"{name}{number}.pem")

    def setUp(self):
        if not self.has_landlock:
            self.skipTest("this kernel has no Landlock")
        self.relay.process.wait_line(r"sealed: writes beneath .*relay-state only")

    def seen(self):
        """The fingerprint that a new connection is shown."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(
            ssl.get_server_certificate(("127.0.0.1", self.relay.port), timeout=30 * STRETCH))).hexdigest()

    def wait_seen(self, fingerprint):
        wait_for("the new certificate", lambda: self.seen() == fingerprint, timeout=40)

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=30 * STRETCH)
        try:
            connection.request("GET", path, headers={"Host": NAME})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def threads(self):
        """Whether each thread has given up new rights, which comes just before the seal and is inherited like it."""
        tasks = pathlib.Path(f"/proc/{self.relay.process.pid}/task")
        return [b"\nNoNewPrivs:\t1\n" in (task / "status").read_bytes() for task in tasks.iterdir()]

    def test_all_threads_are_sealed(self):
        def several():
            sealed = self.threads()
            return sealed if len(sealed) > 1 else None

        # One looks up the relay's name at its start, one writes the history every minute; each stays for 30 s.
        self.assertNotIn(False, wait_for("a thread that does some work", several, timeout=90))

    def test_certificates_may_move_where_they_did_before(self):
        self.wait_seen(self.first)
        second = make_pair(self.archive, 2)
        self.show(self.archive, 2)
        self.relay.process.signal(signal.SIGHUP)
        self.wait_seen(second)
        elsewhere = self.world.folder("elsewhere")
        third = make_pair(elsewhere, 3)
        self.show(elsewhere, 3)
        self.relay.process.signal(signal.SIGHUP)
        self.relay.process.wait_line(r"has sealed itself off from there: restart it.* The old certificate stays in use")
        self.assertEqual(self.seen(), second)
        self.relay.restart()
        self.wait_seen(third)
        self.show(self.archive, 1)
        self.relay.restart()
        self.wait_seen(self.first)

    def test_a_folder_that_is_a_link(self):
        """certificate = .../current/cert1.pem, and `current` leads to a new folder each time."""
        root = self.world.folder("deployed")
        prints = []
        for version in ("v1", "v2"):
            (root / version).mkdir()
            prints.append(make_pair(root / version, 1))
        link(root / "current", "v1")
        current = root / "current"
        relay = Relay(self.world, "current", extra=["--name", NAME, "--certificate", str(current / "cert1.pem"),
                                                    "--certificate_key", str(current / "key1.pem")])
        relay.process.wait_line("sealed: ")
        link(root / "current", "v2")
        relay.process.signal(signal.SIGHUP)
        address = ("127.0.0.1", relay.port)
        wait_for("the other folder's certificate", lambda: hashlib.sha256(ssl.PEM_cert_to_DER_cert(
            ssl.get_server_certificate(address, timeout=30 * STRETCH))).hexdigest() == prints[1], timeout=40)

    def test_challenges_in_a_folder_made_later(self):
        token = "a-token-of-some-length"
        self.assertEqual(self.ask(f"/.well-known/acme-challenge/{token}")[0], 404)
        self.webroot.mkdir(parents=True)
        (self.webroot / token).write_text("the answer", encoding="ascii")
        self.assertEqual(self.ask(f"/.well-known/acme-challenge/{token}"), (200, b"the answer"))

    def test_prices_are_read_again(self):
        fresh = self.prices.with_suffix(".new")
        fresh.write_text("[gpu *]\nper_hour = nonsense\n", encoding="ascii")
        os.replace(fresh, self.prices)
        self.relay.process.signal(signal.SIGHUP)
        self.relay.process.wait_line("'nonsense' is no price")
        self.prices.write_text("[gpu *]\nper_hour = 2\n", encoding="ascii")

    def test_it_knows_itself(self):
        """/proc/self: how much memory and how many descriptors it uses."""
        ada = Person(self.world, "ada", self.relay, admin=True)
        token = ada.verb("key", "add", "--api", "test").stdout.split()[-1]
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.relay.port, timeout=30 * STRETCH,
                                                 context=context)
        connection.request("GET", "/metrics", headers={"Host": f"{NAME}:{self.relay.port}",
                                                       "Authorization": f"Bearer {token}"})
        text = connection.getresponse().read().decode("utf-8")
        connection.close()
        self.assertRegex(text, r"(?m)^process_resident_memory_bytes \d")
        self.assertRegex(text, r"(?m)^process_open_fds [1-9]")

    def test_it_can_be_switched_off(self):
        config = self.world.path("off.ini")
        config.write_text("sandbox = off\n", encoding="utf-8")
        relay = Relay(self.world, "off", extra=["--config", str(config)])
        relay.process.wait_line("sandbox = off: the relay can open whatever its user can")
        self.assertEqual(relay.process.status("NoNewPrivs"), 0)
