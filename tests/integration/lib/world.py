"""A whole little world in one temporary folder: relay, machines, sshd, people; and the test case that ends it."""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from .link import Link
from .ports import Server, free_port
from .process import Process, run, wait_for

ME = pwd.getpwuid(os.getuid()).pw_name
RELAY = os.environ.get("SALLYPORT_RELAY", "sallyport-relay")
AGENT = os.environ.get("SALLYPORT_AGENT", "sallyport-agent")


def find_program(name):
    """sshd and dropbear live where an ordinary user's PATH does not look."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise RuntimeError(f"{name} is not installed: run scripts/deps test")
    return found


class Relay:
    within = ()  # words in front of its command line: what brings it into another network

    def __init__(self, world, name="relay", listen=None, port=None, extra=()):
        self.world = world
        self.name = name
        self.port = port or free_port()
        self.listen = listen or [f"127.0.0.1:{self.port}"]
        self.extra = list(extra)
        self.state = world.folder(f"{name}-state")
        self.process = None
        self.start()

    def argv(self):
        argv = [*self.within, RELAY, "run", "--state", self.state]
        for address in self.listen:
            argv += ["--listen", address]
        return argv + ["--name", "localhost"] + self.extra

    def start(self):
        self.process = self.world.start(self.name, self.argv())
        for address in self.listen:
            self.process.wait_line(r"listening on " + re.escape(address))

    def restart(self):
        self.process.stop()
        self.start()

    def try_ctl(self, *words, text=None):
        argv = [RELAY, "ctl", "--state", self.state, *words]
        return run(argv, input=text) if text is not None else run(argv)

    def ctl(self, *words, text=None):
        """A verb with the operator's rights; its output."""
        done = self.try_ctl(*words, text=text)
        if done.returncode != 0:
            raise AssertionError(f"ctl {' '.join(words)} exited with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def machines(self):
        return {machine["name"]: machine for machine in json.loads(self.ctl("list", "--json"))}

    def machine(self, name):
        return self.machines()[name]

    def status(self, name):
        """All that is known of a machine's state."""
        return json.loads(self.ctl("status", name, "--json"))["status"]

    def services(self, name):
        """What can be reached on it now, by name; empty while it is offline."""
        machine = self.machines().get(name, {})
        if not machine.get("online"):
            return {}
        return {service["name"]: service for service in machine.get("services", []) if service["state"] == "up"}

    def wait_online(self, name, *services, timeout=30.0):
        wait_for(f"{name} to be online with {services}", lambda: self.machines()[name]["online"] and
                 all(service in self.services(name) for service in services), timeout)

    def wait_offline(self, name, timeout=30.0):
        wait_for(f"{name} to be offline", lambda: not self.machines()[name]["online"], timeout)

    def invite_machine(self, name, *more):
        """The join URL out of the line that `invite` prints."""
        return find_url(self.ctl("invite", "machine", name, *more))

    def invite_user(self, name, *more):
        """The token out of the line that `invite` prints."""
        said = self.ctl("invite", "user", name, *more)
        match = re.search(r"(?<![\w-])[\w-]{43}(?![\w-])", said)  # it may begin or end with a dash
        if not match:
            raise AssertionError(f"no token in {said!r}")
        return match.group(0)


def find_url(text):
    match = re.search(r"sallyport://[^\s'\"]+", text)
    if not match:
        raise AssertionError(f"no join URL in {text!r}")
    return match.group(0)


class Agent:
    within = ()  # as in Relay

    def __init__(self, world, name, relay, config="", env=None):
        self.world = world
        self.name = name
        self.relay = relay
        self.state = world.folder(f"{name}-agent-state")
        self.config = world.path(f"{name}-agent.ini")
        self.write_config(config)
        self.env = env
        self.process = None

    def write_config(self, config):
        """No test may ask the router of the network that it happens to run in."""
        first = "" if "port_mapping" in config else "port_mapping = off\n"
        self.config.write_text(first + config, encoding="utf-8")

    def try_join(self, url):
        return run([*self.within, AGENT, "join", "--state", self.state, url])

    def join(self):
        done = self.try_join(self.relay.invite_machine(self.name))
        if done.returncode != 0:
            raise AssertionError(f"join exited with {done.returncode}: {done.stdout}{done.stderr}")

    def start(self, *services, timeout=30.0):
        """Runs it, and waits until the relay has it with these services."""
        argv = [*self.within, AGENT, "run", "--state", self.state, "--config", self.config]
        self.process = self.world.start(f"{self.name}-agent", argv, env=self.env)
        if services:
            self.relay.wait_online(self.name, *services, timeout=timeout)

    def try_status(self, *words):
        return run([AGENT, "status", "--state", self.state, *words])

    def status(self):
        done = self.try_status("--json")
        if done.returncode != 0:
            raise AssertionError(f"status exited with {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


class Sshd:
    """A private OpenSSH server: keys only, the account that runs the test."""

    within = ()  # as in Relay

    def __init__(self, world, name="sshd", more="", port=None, listen="127.0.0.1"):
        self.world = world
        self.name = name
        self.port = port or free_port()
        self.host_key = world.key(f"{name}-host")
        self.authorized = world.path(f"{name}-authorized")
        self.authorized.touch()
        self.config = world.path(f"{name}.conf")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        # Without PAM sshd refuses an account whose password is locked; with PAM (root only) it does not.
        pam = "yes" if os.getuid() == 0 else "no"
        self.config.write_text(
            f"Port {self.port}\nListenAddress {listen}\nHostKey {self.host_key}\nPidFile none\nUsePAM {pam}\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxSessions 300\nMaxStartups 300\n"
            # With SHLVL bash takes itself for a shell within a shell, and leaves out the tester's own ~/.bashrc. sshd heeds
            # the first SetEnv only, which may be the test's.
            f"Subsystem sftp internal-sftp\n{more}\nSetEnv SHLVL=2\n", encoding="utf-8")
        self.process = None
        self.start()

    def start(self):
        self.process = self.world.start(self.name, [*self.within, find_program("sshd"), "-D", "-e", "-f",
                                                    self.config], clean_end=False)
        self.process.wait_line("Server listening")

    def authorize(self, key):
        with open(self.authorized, "a", encoding="ascii") as file:
            file.write(pathlib.Path(f"{key}.pub").read_text(encoding="ascii"))


class Person:
    """Somebody with a laptop: a key, and a configuration of ssh in which the relay is called `relay`."""

    within = ()  # as in Relay

    def __init__(self, world, name, relay, sshd=None, admin=False, known=True, more="", host="127.0.0.1"):
        self.world = world
        self.name = name
        self.relay = relay
        self.key = world.key(name)
        self.config = world.path(f"{name}-ssh-config")
        self.known_hosts = world.path(f"{name}-known-hosts")
        self.config.write_text(
            f"Host relay\n    HostName {host}\n    Port {relay.port}\n    User {name}\n"
            f"Host *\n    User {ME}\n    IdentityFile {self.key}\n    IdentitiesOnly yes\n    IdentityAgent none\n"
            f"    UserKnownHostsFile {self.known_hosts}\n    GlobalKnownHostsFile /dev/null\n"
            "    StrictHostKeyChecking accept-new\n    BatchMode yes\n    ControlPath none\n    ConnectTimeout 60\n"
            f"    ExitOnForwardFailure yes\n    LogLevel INFO\n{more}", encoding="utf-8")
        if known:
            relay.ctl("user", "add", name, *(["--admin"] if admin else []), world.public(self.key))
        if sshd:
            sshd.authorize(self.key)

    def argv(self, *words, program="ssh"):
        return [*self.within, program, "-F", str(self.config), *[str(word) for word in words]]

    def ssh(self, *words, **how):
        return run(self.argv(*words), **how)

    def verb(self, *words, **how):
        return self.ssh("relay", *words, **how)

    def start(self, *words, **how):
        """An ssh in the background with pipes; ended with the world."""
        popen = subprocess.Popen(self.argv(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, **how)
        self.world.at_end(lambda: end_popen(popen))
        return popen

    def forward(self, *targets):
        """`ssh -N -L` to each HOST:PORT; the ssh and the local ports, once they listen."""
        ports = [free_port() for _ in targets]
        words = ["-N"]
        for port, target in zip(ports, targets):
            words += ["-L", f"127.0.0.1:{port}:{target}"]
        process = self.world.start(f"{self.name}-forward", self.argv("-v", *words, "relay"), clean_end=False)
        process.wait_line("Entering interactive session")
        return process, ports

    def link(self):
        """The link, when this person's key is in truth a machine's."""
        link = Link(self.argv("-T", "-s", "relay", "sallyport"))
        self.world.at_end(link.close)
        return link


def end_popen(popen):
    if popen.poll() is None:
        popen.kill()
    popen.wait()
    for pipe in (popen.stdin, popen.stdout, popen.stderr):
        if pipe:
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class World:
    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test-"))
        self.ends = []
        self.processes = []

    def path(self, name):
        return self.root / name

    def folder(self, name):
        folder = self.root / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def key(self, name):
        """An Ed25519 key pair of that name, made once; the private file's path."""
        path = self.root / f"key-{name}"
        if not path.exists():
            made = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@test", "-f", str(path)])
            if made.returncode != 0:
                raise AssertionError(made.stderr)
        return path

    def public(self, key):
        return pathlib.Path(f"{key}.pub").read_text(encoding="ascii").strip()

    def at_end(self, end):
        self.ends.append(end)

    def start(self, name, argv, clean_end=True, **how):
        """A background program. With clean_end it must exit with 0 when asked to stop."""
        process = Process(name, argv, self.path(f"{name}.log"), **how)
        self.processes.append((process, clean_end))
        return process

    def serve(self, serve, **how):
        server = Server(serve, **how)
        self.at_end(server.close)
        return server

    def relay_with_agent(self, config="", name="box1", more="", env=None):
        """The usual beginning: a relay, an sshd, a joined and running agent that publishes it as `ssh`. `more` stands
        before the sections of its configuration."""
        relay = Relay(self)
        sshd = Sshd(self)
        agent = Agent(self, name, relay, f"{more}[service ssh]\nport = {sshd.port}\n{config}", env)
        agent.join()
        agent.start("ssh")
        return relay, sshd, agent

    def close(self):
        """Ends all, in the reverse order of their beginning; then says what was not as it should be."""
        wrong = []
        for end in reversed(self.ends):
            try:
                end()
            except (OSError, AssertionError, subprocess.SubprocessError) as error:
                wrong.append(str(error))
        for process, clean_end in reversed(self.processes):
            try:
                status = process.stop()
                if clean_end and status != 0 and status != process.expected:
                    wrong.append(f"{process.name} ended with {status}")
                if clean_end:
                    process.check()
            except AssertionError as error:
                wrong.append(str(error))
        self.ends, self.processes = [], []
        if wrong:
            raise AssertionError("; ".join(wrong))

    def logs(self, tail=3000):
        """The ends of all logs, for the report of a failure."""
        for log in sorted(self.root.glob("*.log")):
            text = log.read_text(encoding="utf-8", errors="replace")
            yield f"--- {log.name}\n{text[-tail:]}"

    def remove(self):
        if os.environ.get("SALLYPORT_TEST_KEEP") != "1":
            shutil.rmtree(self.root, ignore_errors=True)


class Case(unittest.TestCase):
    """One world a class. Programs are ended whatever happens; logs are shown when something failed."""

    world: World
    failed = False

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls._end)
        try:
            cls.begin()
        except BaseException:
            cls.failed = True
            raise

    @classmethod
    def begin(cls):
        """What all tests of the class share; for the class to define."""

    @classmethod
    def _end(cls):
        try:
            cls.world.close()
        except BaseException:
            cls.failed = True
            raise
        finally:
            if cls.failed:
                print("\n".join(cls.world.logs()), file=sys.stderr)
            cls.world.remove()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        done = super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return done


def on_terminate(_number, _frame):
    """ctest ends a test that is too slow with SIGTERM; then the programs have to end as well."""
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, on_terminate)
