"""The client of the laptop: join once, then reach every machine with what people use: ssh, scp, rsync, git, a browser."""
import hashlib
import json
import os
import socket
import threading
import unittest

from lib import STRETCH, Agent, Case, Sshd, echo, free_port, run, wait_for
from lib.client import CLIENT, Client, children, command_lines, get, lan, service_config
from lib.framework import Framework
from lib.web import Visitor

class Joining(Case):
    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()

    def new(self, name, **how):
        return Client(self.world, name, self.relay, self.sshd, join=False, **how)

    def refuse(self, client, verb, *words, status=1, **how):
        done = client.run(verb, *words, **how)
        self.assertEqual(done.returncode, status, f"{verb} {words}: {done.stdout}{done.stderr}")
        self.assertTrue(done.stderr.startswith("sallyport: "), f"{verb} {words}: {done.stderr!r}")
        return done.stderr

    def test_before_there_is_a_relay(self):
        client = self.new("early")
        for words in (("ls",), ("ssh", "box1"), ("connect", "box1", "ssh"), ("whoami",), ("jupyter", "box1"),
                      ("forward", "box1/ssh"), ("open", "box1"), ("login",)):
            self.assertIn("join", self.refuse(client, *words))

    def test_join_prints_what_to_type_next_and_keeps_all_to_itself(self):
        client = self.new("careful")
        done = client.run("join", client.invite())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ssh", done.stdout + done.stderr)
        self.assertEqual(client.state.stat().st_mode & 0o777, 0o700)
        for path in client.state.rglob("*"):
            if path.suffix != ".pub":
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)
        self.assertIn("careful", client.do("whoami"))
        self.assertEqual(client.questions(), "")

    def test_the_url_by_standard_input(self):
        client = self.new("piper")
        client.do("join", "-", input=client.invite() + "\n")
        self.assertIn("piper", client.do("whoami"))

    def test_a_url_is_good_once(self):
        first, second = self.new("onceone"), self.new("oncetwo")
        url = first.invite()
        first.do("join", url)
        self.assertIn("used", self.refuse(second, "join", url))
        self.refuse(second, "ls")

    def test_joining_twice_changes_nothing(self):
        client = self.new("again")
        client.join()
        before = {path.name: path.read_bytes() for path in client.state.iterdir() if path.is_file()}
        self.refuse(client, "join", client.invite())
        self.assertEqual(before, {path.name: path.read_bytes() for path in client.state.iterdir() if path.is_file()})

    def test_another_relay_with_that_address_gets_nothing(self):
        client = self.new("wary")
        url = client.invite()
        begin, mark = url.split("#SHA256:")
        wrong = f"{begin}#SHA256:{'A' * len(mark)}"
        self.refuse(client, "join", wrong)
        # The token was not shown to the wrong one: it is still good.
        client.do("join", url)

    def test_what_is_no_url(self):
        client = self.new("clumsy")
        for text in ("", "https://relay.example/", "sallyport://", "sallyport://h:1/short#SHA256:x", "x" * 5000):
            self.refuse(client, "join", text, status=2 if client.run("join", text).returncode == 2 else 1)
        for words in ((), ("one", "two")):
            self.refuse(client, "join", *words, status=2)


class Daily(Case):
    """Everything that works, with one client."""

    @classmethod
    def begin(cls):
        cls.lan = lan()
        cls.echo = cls.world.serve(echo)
        cls.web = Framework(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(service_config(echo=cls.echo.port, web=cls.web.port))
        cls.relay.wait_online("box1", "ssh", "echo", "web")
        cls.alice = Client(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.relay.ctl("machine", "add", "box2", cls.world.public(cls.world.key("box2")))

    def setUp(self):
        self.alice.asked.unlink(missing_ok=True)

    def tearDown(self):
        self.assertEqual(self.alice.questions(), "", "the user was asked for something")

    def test_help_and_version(self):
        for words in ((), ("--help",)):
            done = run([CLIENT, *words])
            self.assertEqual(done.returncode, 0 if words else 2)
            for verb in "join ls status ssh jupyter open forward connect ssh-config login".split():
                self.assertRegex(done.stdout, rf"(?m)^ +{verb}\b", f"--help does not name {verb}")
        self.assertRegex(run([CLIENT, "--version"]).stdout, r"^sallyport \d")

    def test_wrong_usage_exits_with_2_and_says_why(self):
        for words in (("forward",), ("forward", "box1"), ("forward", "box1/"), ("forward", "box1/ssh", "0"),
                      ("forward", "box1/ssh", "99999"), ("forward", "box1/ssh", "1", "2"), ("jupyter",),
                      ("jupyter", "Box 1"), ("jupyter", "box1", "port"), ("open",), ("open", "box1", "box2"),
                      ("open", "-x"), ("login", "box1"), ("connect",), ("connect", "box1"), ("ssh",),
                      ("ssh", "no--name"), ("lsit",), ("user", "add")):
            done = self.alice.run(*words)
            self.assertEqual(done.returncode, 2, f"{words}: {done.returncode} {done.stdout}{done.stderr}")
            self.assertTrue(done.stderr.strip(), words)

    def test_ls_and_status(self):
        table = self.alice.do("ls")
        self.assertRegex(table, r"(?m)^box1 +online")
        self.assertRegex(table, r"(?m)^box2 +(offline|never)")
        machines = {machine["name"]: machine for machine in self.alice.json("ls")}
        self.assertTrue(machines["box1"]["online"])
        self.assertEqual(self.alice.json("status", "box1")["name"], "box1")
        self.assertIn("box1", self.alice.do("status", "box1"))
        self.alice.do("status")

    def test_verbs_of_the_relay_with_words_as_they_are(self):
        self.assertIn("alice (admin)", self.alice.do("whoami"))
        label = "it's \"mine\" $HOME `x` \\ *"
        self.alice.do("key", "add", "--api", label)
        self.assertIn(label, self.alice.do("key", "list"))
        self.assertEqual(self.alice.json("whoami")["name"], "alice")
        self.assertEqual(self.alice.run("status", "nobox").returncode, 1)

    def test_ssh_runs_a_command_and_brings_its_status(self):
        done = self.alice.run("ssh", "box1", "echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout), (7, "out\n"))
        self.assertIn("err\n", done.stderr)
        self.assertEqual(self.alice.do("ssh", "box1", "cat", input="through and through"), "through and through")

    def test_many_logins_at_once(self):
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append(
            self.alice.run("ssh", "box1", f"echo {n}; sleep 1; echo {n}").stdout == f"{n}\n{n}\n")) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [True] * 8)

    def test_the_route_is_the_shortest(self):
        if not self.lan:
            self.skipTest("only root can have a network of its own here")
        self.alice.do("ssh", "box1", "true")
        done = self.alice.run("ssh", "box1", "true", env={"SALLYPORT_DEBUG": "1"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\blan\b|same network", done.stderr)

    def test_big_transfers_both_ways(self):
        data = os.urandom(32 << 20)
        file = self.world.path("big")
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        with open(file, "rb") as stream:
            self.assertEqual(self.alice.do("ssh", "box1", "sha256sum", stdin=stream).split()[0], digest)
        there = self.world.path("big-there")
        self.alice.do("ssh", "box1", f"cp {file} {there}")
        self.assertEqual(self.alice.do("ssh", "box1", f"sha256sum {there}").split()[0], digest)

    def plain(self, target, *more, fdpass=False):
        words = self.alice.argv("connect", *(["--fdpass"] if fdpass else []), "%h", "ssh")
        return self.alice.tool(self.alice.proxy(
            "-o", "ProxyCommand=" + " ".join(words), *(["-o", "ProxyUseFdpass=yes"] if fdpass else []), target, *more))

    def test_connect_as_a_proxy_command(self):
        for fdpass in (False, True):
            done = self.plain("box1", "echo hello; exit 3", fdpass=fdpass)
            self.assertEqual((done.returncode, done.stdout), (3, "hello\n"), f"{fdpass}: {done.stderr}")

    def test_connect_gives_the_bytes_of_sshd_and_nothing_else(self):
        process = self.world.start("plain-connect", ["sh", "-c", "sleep 5 | \"$@\" | head -n 1", "sh",
                                                     *self.alice.argv("connect", "box1", "ssh")],
                                   clean_end=False, env=self.alice.env)
        self.assertRegex(process.wait_line(r"^SSH-2\.0-\S+").group(0), "OpenSSH")
        process.wait()

    def test_forward_of_ssh_is_the_machine_s_sshd_itself(self):
        process, port = self.alice.forward("box1/ssh")
        for n in range(3):
            done = self.alice.tool(self.alice.proxy("-p", str(port), "127.0.0.1", f"echo {n}"))
            self.assertEqual(done.stdout, f"{n}\n", done.stderr)
        with socket.create_connection(("127.0.0.1", port), timeout=20 * STRETCH) as connection:
            self.assertTrue(connection.recv(100).startswith(b"SSH-2.0-"))
            below = list(children(process.pid))
            self.assertGreaterEqual(len(below), 2)
            # Only the program itself hears this; Ctrl-C would reach its children, too.
            self.assertEqual(process.stop(), 0)
            wait_for("what it had started to end", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
            self.assertEqual(connection.recv(1 << 16), b"")

    def test_forward_takes_its_own_port_or_the_one_that_is_said(self):
        wanted = free_port()
        process, port = self.alice.forward("box1/echo", wanted)
        self.assertEqual(port, wanted)
        self.check_echo(port)
        done = self.alice.run("forward", "box1/echo", str(wanted))
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(wanted), done.stderr)
        self.assertEqual(process.interrupt(), 0)
        # The service's own port is in use on this computer: by the service.
        process, port = self.alice.forward("box1/echo")
        self.assertNotEqual(port, self.echo.port)
        self.check_echo(port)
        process.stop()
        self.assertEqual(process.popen.returncode, 0)

    def check_echo(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=30 * STRETCH) as connection:
            connection.settimeout(30 * STRETCH)
            connection.sendall(b"hello")
            self.assertEqual(connection.recv(5), b"hello")

    def test_forward_of_a_page(self):
        process, port = self.alice.forward("box1/web")
        self.assertIn(f"http://127.0.0.1:{port}/", process.text())
        self.assertNotIn("through the relay", process.text())
        status, _, body = get(f"http://127.0.0.1:{port}/data")
        self.assertEqual((status, json.loads(body)["runs"]), (200, ["train", "test"]))
        self.assertEqual(process.interrupt(), 0)
        self.assertNotIn("lost", process.text())

    def test_forward_without_an_account_on_the_machine_goes_through_the_relay(self):
        bob = Client(self.world, "bob", self.relay)
        self.relay.ctl("grant", "bob", "box1")
        for service in ("echo", "web"):
            process, port = bob.forward(f"box1/{service}")
            self.assertIn("through the relay", process.text())
            if service == "echo":
                self.check_echo(port)
            else:
                self.assertEqual(get(f"http://127.0.0.1:{port}/data")[0], 200)
            self.assertEqual(process.interrupt(), 0)
        self.assertEqual(bob.questions(), "")

    def test_forward_of_a_page_past_an_sshd_that_forwards_nothing(self):
        sshd = Sshd(self.world, "strict-sshd", more="AllowTcpForwarding no")
        agent = Agent(self.world, "box3", self.relay,
                      f"[service ssh]\nport = {sshd.port}\n{service_config(web=self.web.port)}")
        agent.join()
        agent.start("ssh", "web")
        sshd.authorize(self.alice.key)
        process, port = self.alice.forward("box3/web")
        self.assertIn("no forwarding on box3", process.text())
        self.assertEqual(get(f"http://127.0.0.1:{port}/data")[0], 200)
        process.interrupt()
        agent.process.stop()

    def test_forward_of_what_is_not_there(self):
        for target, word in (("box1/nothing", "nothing"), ("nobox/ssh", "nobox"), ("box2/ssh", "box2")):
            done = self.alice.run("forward", target)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(word, done.stderr)

    def check_hand_over(self, to):
        """The browser's address has no secret that is good for another user, and leads on to `to`."""
        url = self.alice.seen()
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+/[A-Za-z0-9_-]{43}$")
        status, fields, _ = get(url)
        self.assertEqual(status, 302)
        self.assertRegex(fields["Location"], to)
        return fields["Location"]

    def in_browser(self, verb, *words, to):
        self.alice.visited.unlink(missing_ok=True)
        process = self.alice.start(verb, *words)
        url = self.alice.seen()
        self.assertFalse([line for line in command_lines() if "/login/" in line], "the link stands on a command line")
        location = self.check_hand_over(to)
        self.assertEqual(process.wait(), 0, process.text())
        with self.assertRaises(OSError):
            get(url)
        self.assertNotIn("/login/", process.text())
        return location

    def path(self, location):
        return location[location.index("/login/"):]

    def test_login_in_the_browser(self):
        visitor = Visitor(self.relay, tls=False)
        location = self.in_browser("login", to=rf"^http://localhost:{self.relay.port}/login/[\w-]{{43}}$")
        answer = visitor.ask(self.path(location))
        self.assertEqual((answer.status, answer.get("Location")), (303, "/"))
        self.assertIn("box1", visitor.ask("/api/v1/machines").text)

    def test_open_leads_to_the_service(self):
        visitor = Visitor(self.relay, tls=False)
        location = self.in_browser("open", "box1/web", to=r"^http://localhost:.*/login/.*[?]to=/open/box1/web$")
        answer = visitor.ask(self.path(location))
        self.assertEqual((answer.status, answer.get("Location")), (303, "/open/box1/web"))
        visitor.enter("box1--web")
        self.assertEqual(visitor.ask("/data", "box1--web").status, 200)

    def test_a_login_leads_nowhere_else(self):
        for to in ("https://evil.example/", "//evil.example/", "/api/v1/me", "/open/../x", "/openx", "/open/a%0d%0aX:y",
                   "/open%2f%2fevil", "x", ""):
            visitor = Visitor(self.relay, tls=False)
            path = self.path(self.alice.do("login", "--no-browser").strip())
            answer = visitor.ask(f"{path}?to={to}")
            self.assertEqual(answer.status, 303)
            self.assertIn(answer.get("Location"), ("/", "/open/../x", "/open//evil"), to)

    def test_without_a_browser_the_link_is_printed(self):
        link = self.alice.do("login", env={"BROWSER": ""}).strip()
        self.assertRegex(link, rf"^http://localhost:{self.relay.port}/login/[\w-]{{43}}$")
        self.assertEqual(Visitor(self.relay, tls=False).ask(self.path(link)).status, 303)
        done = self.alice.run("open", "--no-browser", "box1/web")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("?to=/open/box1/web", done.stdout)
        done = self.alice.run("login", env={"BROWSER": "/no/such/browser"})
        self.assertEqual(done.returncode, 0)
        self.assertIn("/no/such/browser", done.stderr)
        self.assertIn("/login/", done.stdout)

    def test_open_of_what_is_no_page(self):
        for target, word in (("box1/echo", "forward"), ("box1/nothing", "nothing"), ("nobox/web", "nobox"),
                             ("box1", "Jupyter"), ("box2/web", "box2")):
            done = self.alice.run("open", target)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(word, done.stderr)


class Tools(Case):
    """ssh-config, and the programs of others that live on it."""

    @classmethod
    def begin(cls):
        lan()
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Client(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.ssh_folder = cls.alice.home / ".ssh"
        cls.ssh_folder.mkdir(mode=0o700)
        cls.config = cls.ssh_folder / "config"
        cls.config.write_text("# mine\nHost elsewhere\n    User somebody\n", encoding="utf-8")
        cls.alice.do("ssh-config")

    def setUp(self):
        self.alice.asked.unlink(missing_ok=True)

    def tearDown(self):
        self.assertEqual(self.alice.questions(), "", "the user was asked for something")

    def stock(self, program, *words):
        """ssh takes the home from the list of users, not from HOME: it has to be told."""
        return [program, "-F", str(self.config), *words]

    def check(self, *words, program="ssh"):
        done = self.alice.tool(self.stock(program, *words))
        self.assertEqual(done.returncode, 0, f"{program} {words}: {done.stderr}")
        return done.stdout

    def random_file(self, name):
        path = self.world.path(name)
        path.write_bytes(os.urandom(4 << 20))
        return path

    def test_the_user_s_own_lines_stay(self):
        text = self.config.read_text(encoding="utf-8")
        self.assertTrue(text.endswith("# mine\nHost elsewhere\n    User somebody\n"))
        self.assertRegex(text, r"(?i)^(#.*\n)*Include .*sallyport_config")
        self.alice.do("ssh-config")
        self.assertEqual(self.config.read_text(encoding="utf-8"), text)

    def test_print_and_remove(self):
        client = Client(self.world, "carol", self.relay, self.sshd, admin=True)
        printed = client.do("ssh-config", "--print")
        self.assertIn("Host box1", printed)
        self.assertFalse((client.home / ".ssh" / "config").exists())
        (client.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        mine = client.home / ".ssh" / "config"
        mine.write_text("Host *\n    Compression yes", encoding="utf-8")
        client.do("ssh-config")
        self.assertIn("sallyport_config", mine.read_text(encoding="utf-8"))
        client.do("ssh-config", "--remove")
        self.assertEqual(mine.read_text(encoding="utf-8"), "Host *\n    Compression yes")
        self.assertFalse((client.home / ".ssh" / "sallyport_config").exists())

    def test_ssh(self):
        self.assertEqual(self.check("box1", "echo hello"), "hello\n")

    def test_scp_both_ways(self):
        file, there, back = self.random_file("scp"), self.world.path("scp-there"), self.world.path("scp-back")
        self.check("-q", file, f"box1:{there}", program="scp")
        self.check("-q", f"box1:{there}", back, program="scp")
        self.assertEqual(file.read_bytes(), back.read_bytes())

    def test_sftp_both_ways(self):
        file, there, back = self.random_file("sftp"), self.world.path("sftp-there"), self.world.path("sftp-back")
        batch = self.world.path("sftp-batch")
        batch.write_text(f"put {file} {there}\nget {there} {back}\n", encoding="utf-8")
        self.check("-b", batch, "box1", program="sftp")
        self.assertEqual(file.read_bytes(), back.read_bytes())

    def test_rsync_both_ways(self):
        tree = self.world.folder("rsync-tree")
        for n in range(30):
            (tree / f"file{n}").write_bytes(os.urandom(20000 + n))
        there, back = self.world.path("rsync-there"), self.world.path("rsync-back")
        for source, target in ((f"{tree}/", f"box1:{there}/"), (f"box1:{there}/", f"{back}/")):
            done = self.alice.tool(["rsync", "-a", "-e", " ".join(self.stock("ssh")), source, target])
            self.assertEqual(done.returncode, 0, done.stderr)
        for file in tree.iterdir():
            self.assertEqual(file.read_bytes(), (back / file.name).read_bytes())

    def test_git_clone_and_push(self):
        there, here = self.world.path("repository.git"), self.world.path("clone")
        env = {"GIT_SSH_COMMAND": " ".join(self.stock("ssh")), "GIT_CONFIG_GLOBAL": "/dev/null",
               "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
               "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}

        def git(*words):
            done = run(["git", *[str(word) for word in words]], env=dict(self.alice.env, **env))
            self.assertEqual(done.returncode, 0, f"git {words}: {done.stderr}")

        git("init", "-q", "--bare", "-b", "main", there)
        git("clone", "-q", f"box1:{there}", here)
        (here / "file").write_text("text\n", encoding="utf-8")
        git("-C", here, "checkout", "-q", "-B", "main")
        git("-C", here, "add", "file")
        git("-C", here, "commit", "-q", "-m", "first")
        git("-C", here, "push", "-q", "origin", "main")
        git("clone", "-q", f"box1:{there}", self.world.path("clone2"))
        self.assertEqual(self.world.path("clone2", ).joinpath("file").read_text(encoding="utf-8"), "text\n")


if __name__ == "__main__":
    unittest.main()
