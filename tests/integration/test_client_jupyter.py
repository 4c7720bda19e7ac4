"""`sallyport jupyter BOX`: a fresh browser ends up logged in to a real Jupyter, and no token is seen on the way."""
import os
import tempfile
import unittest

from lib import Agent, Case, Relay, Sshd, run
from lib.client import Client, command_lines, get, lan
from lib.jupyter import TOKEN, Jupyter, fetch
from test_jupyter import environment


class Server(Case):
    """jupyter-server, as a Jupyter of today."""

    kind = "jupyter-server"
    base_url = "/"

    @classmethod
    def begin(cls):
        lan()
        cls.relay = Relay(cls.world)
        cls.home = cls.world.folder("home")
        # What a login on the machine has: the home where the Jupyter leaves its file.
        cls.sshd = Sshd(cls.world, more=f"SetEnv HOME={cls.home}")
        cls.agent = Agent(cls.world, "box1", cls.relay, f"[service ssh]\nport = {cls.sshd.port}\n",
                          env=environment(cls.home))
        cls.agent.join()
        cls.jupyter = Jupyter(cls.world, cls.kind, home=cls.home, base_url=cls.base_url)
        cls.agent.start("ssh", "jupyter")
        cls.alice = Client(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def setUp(self):
        self.assertEqual(self.relay.services("box1")["jupyter"]["port"], self.jupyter.port)
        self.alice.visited.unlink(missing_ok=True)

    def tearDown(self):
        self.assertEqual(self.alice.questions(), "", "the user was asked for something")

    def start(self, *words, client=None, **how):
        process = (client or self.alice).start("jupyter", *words, **how)
        port = int(process.wait_line(r"127\.0\.0\.1:(\d+) leads to box1/jupyter").group(1))
        return process, port, f"http://127.0.0.1:{port}{self.base_url}"

    def curl(self, jar, *words):
        """Status, last address and body, with the cookies of the jar."""
        done = run(["curl", "--silent", "--location", "--noproxy", "*", "--cookie", jar, "--cookie-jar", jar,
                    "--write-out", "\n%{http_code} %{url_effective}", *words])
        self.assertEqual(done.returncode, 0, done.stderr)
        body, last = done.stdout.rsplit("\n", 1)
        status, url = last.split(" ")
        return int(status), url, body

    def is_logged_in(self, jar, base):
        return self.curl(jar, base + "api/status")[0] == 200

    def test_a_fresh_browser_is_logged_in_and_no_token_is_seen(self):
        process, _, base = self.start("box1")
        url = self.alice.seen()
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{43}$")
        self.assertFalse([line for line in command_lines() if TOKEN in line])
        jar = str(self.world.path(f"jar-{self.kind}"))
        status, last, _ = self.curl(jar, url)
        self.assertEqual(status, 200)
        self.assertTrue(last.startswith(base), last)
        self.assertNotIn("login", last)
        self.assertNotIn("token", last)
        self.assertTrue(self.is_logged_in(jar, base))
        self.assertFalse(self.is_logged_in(str(self.world.path("another-jar")), base))
        self.assertNotIn(TOKEN, process.text())
        # It works once.
        with self.assertRaises(OSError):
            get(url)
        self.assertTrue(process.alive())
        self.assertEqual(process.interrupt(), 0)
        self.assertEqual(fetch(base + "api")[0], 0)

    def test_chromium_sees_its_page(self):
        process, _, _ = self.start("box1")
        url = self.alice.seen()
        with tempfile.TemporaryDirectory(dir=self.world.root, ignore_cleanup_errors=True) as profile:
            done = run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                        "--disable-background-networking", "--disable-component-update", "--disable-sync",
                        "--no-proxy-server", f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom",
                        url], timeout=120, env=dict(os.environ, HOME=profile))
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.check_page(done.stdout)
        self.assertEqual(process.interrupt(), 0)

    def check_page(self, dom):
        """Without JupyterLab its first page is a short one; the login page asks for a password or token."""
        self.assertIn("Jupyter", dom)
        self.assertNotIn("login_submit", dom)

    def test_without_a_browser_the_address_is_printed(self):
        process, _, base = self.start("--no-browser", "box1")
        url = process.wait_line(r"^(http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{43})$").group(1)
        jar = str(self.world.path("jar-printed"))
        self.curl(jar, url)
        self.assertTrue(self.is_logged_in(jar, base))
        self.assertFalse(self.alice.visited.exists())
        process.stop()

    def test_somebody_else_s_jupyter_asks_for_itself(self):
        """No account on the machine, or none of that user: through the relay, and Jupyter's own login."""
        bob = Client(self.world, "bob", self.relay)
        self.relay.ctl("grant", "bob", "box1/jupyter")
        process, _, base = self.start("box1", client=bob)
        self.assertIn("through the relay", process.text())
        self.assertIn("sallyport open box1/jupyter", process.text())
        self.assertEqual(bob.seen().rstrip("/"), base.rstrip("/"))
        self.assertEqual(self.curl(str(self.world.path("jar-bob")), bob.seen())[0], 200)
        self.assertFalse(self.is_logged_in(str(self.world.path("jar-bob")), base))
        self.assertEqual(process.interrupt(), 0)

    def test_a_file_that_was_left_behind_or_lies_does_no_harm(self):
        runtime = self.home / ".local/share/jupyter/runtime"
        # More of the dead ones than are read, and before the living in their order.
        pids = [os.getpid(), *range(1000000000, 1000000012)]
        for name, pid in [(f"jpserver-{pid}.json", pid) for pid in pids]:
            (runtime / name).write_text(
                f'{{"port": {self.jupyter.port}, "pid": {pid}, "base_url": "{self.base_url}", "token": "wrong"}}',
                encoding="utf-8")
            self.addCleanup((runtime / name).unlink)
        process, _, base = self.start("box1")
        jar = str(self.world.path("jar-lies"))
        self.curl(jar, self.alice.seen())
        self.assertTrue(self.is_logged_in(jar, base))
        process.stop()

    def publish(self, sshd):
        """That one is the machine's ssh from now on."""
        self.agent.process.stop()
        self.agent.write_config(f"[service ssh]\nport = {sshd.port}\n")
        self.agent.start("ssh", "jupyter")

    def test_a_login_shell_that_talks(self):
        """What a profile prints does not hide what was asked for."""
        sshd = Sshd(self.world, f"talking-{self.kind}", more=(
            f"SetEnv HOME={self.home}\nBanner /etc/os-release\n"
            "ForceCommand echo Welcome to box1, {}; echo; exec sh -c \"$SSH_ORIGINAL_COMMAND\""))
        self.publish(sshd)
        self.addCleanup(self.publish, self.sshd)
        carol = Client(self.world, "carol", self.relay, sshd, admin=True)
        process, _, base = self.start("box1", client=carol)
        jar = str(self.world.path("jar-carol"))
        self.curl(jar, carol.seen())
        self.assertTrue(self.is_logged_in(jar, base))
        process.stop()

    def test_no_jupyter(self):
        for target, word in (("box1/ssh", "forward"), ("box1/nothing", "nothing"), ("nobox", "nobox")):
            done = self.alice.run("jupyter", target)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(word, done.stderr)


class Notebook(Server):
    """The classic notebook, below a path of its own."""

    kind = "jupyter-notebook"
    base_url = "/user/ann/"

    def check_page(self, dom):
        self.assertIn("<title>Home Page", dom)
        self.assertNotIn("login_submit", dom)


if __name__ == "__main__":
    unittest.main()
