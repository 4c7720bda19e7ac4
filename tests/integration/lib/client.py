"""A laptop with the client: a state folder, an agent with the keys of its user, and a browser that only notes."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from .process import REPORTS, STRETCH, Process, run, wait_for
from .world import find_program, find_url

CLIENT = os.environ.get("SALLYPORT_CLIENT", "sallyport")
LAN_ADDRESS = "192.168.77.2"


def lan():
    """Gives this test's own network an interface that looks like a home's: True when there is one now. Only in a
    namespace that has nothing but its loopback; on a real network nothing is changed."""
    if os.getuid() != 0:
        return False
    names = {name for _, name in socket.if_nameindex()}
    if names == {"lo"}:
        # An IPv6 address would come seconds later, and be a change of the network for an agent.
        pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
        for words in (("link", "add", "eth0", "type", "veth", "peer", "name", "eth0-far"),
                      ("addr", "add", f"{LAN_ADDRESS}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("link", "set", "eth0-far", "up")):
            done = run(["ip", *words])
            if done.returncode != 0:
                raise AssertionError(f"ip {' '.join(words)}: {done.stderr}")
    return LAN_ADDRESS in run(["ip", "-4", "addr", "show"]).stdout


def service_config(**ports):
    """Lines of agent.ini that publish these; the one named `web` is a page, the others plain TCP."""
    return "".join(f"[service {name}]\nport = {port}\nkind = {'http' if name == 'web' else 'tcp'}\n"
                   for name, port in ports.items())


class Client:
    """`key`: the user's key for the machines; the one for the relay is made by `join`."""

    def __init__(self, world, name, relay, sshd=None, admin=False, join=True):
        self.world = world
        self.name = name
        self.relay = relay
        self.state = world.folder(f"{name}-client")
        self.home = world.folder(f"{name}-home")
        self.key = world.key(f"{name}-box")
        self.asked = world.path(f"{name}-asked")
        self.visited = world.path(f"{name}-visited")
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith(("SSH_", "XDG_", "DISPLAY", "WAYLAND", "BROWSER"))}
        self.env.update(HOME=str(self.home), SSH_AUTH_SOCK=str(self._agent()), SSH_ASKPASS=str(self._askpass()),
                        SSH_ASKPASS_REQUIRE="force", BROWSER=str(self._browser()))
        self.admin = admin
        if sshd:
            sshd.authorize(self.key)
        if join:
            self.join()

    def _agent(self):
        path = self.world.path(f"{self.name}-agent")
        self.world.start(f"{self.name}-ssh-agent", ["ssh-agent", "-D", "-a", path], clean_end=False)
        # Its socket is there a moment before it listens.
        wait_for("ssh-agent to take the key", lambda: run(["ssh-add", "-q", str(self.key)], env=dict(
            os.environ, SSH_AUTH_SOCK=str(path))).returncode == 0)
        return path

    def _script(self, name, text):
        path = self.world.path(f"{self.name}-{name}")
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o700)
        return path

    def _askpass(self):
        """What ssh calls to ask its user for anything: it notes that, and knows no answer."""
        return self._script("askpass", f"echo \"$1\" >>'{self.asked}'\nexit 1")

    def _browser(self):
        return self._script("browser", f"echo \"$1\" >>'{self.visited}.new' && mv '{self.visited}.new' '{self.visited}'")

    def questions(self):
        """What the user was asked; it should be nothing, ever."""
        return self.asked.read_text(encoding="utf-8") if self.asked.exists() else ""

    def invite(self):
        return find_url(self.relay.ctl("invite", "user", self.name, *(["--admin"] if self.admin else [])))

    def join(self):
        self.do("join", self.invite())

    def argv(self, verb, *words):
        return [CLIENT, verb, "--state", str(self.state), *[str(word) for word in words]]

    def run(self, verb, *words, env=None, **how):
        done = run(self.argv(verb, *words), env=dict(self.env, **(env or {})), **how)
        if REPORTS.search(done.stderr):
            raise AssertionError(f"{verb}: a sanitizer reported:\n{done.stderr}")
        return done

    def do(self, verb, *words, **how):
        """It must work; its output."""
        done = self.run(verb, *words, **how)
        if done.returncode != 0:
            raise AssertionError(f"sallyport {verb} {words}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def json(self, verb, *words):
        return json.loads(self.do(verb, "--json", *words))

    def start(self, verb, *words, env=None):
        """In the background; ended with the world."""
        log = f"{self.name}-{verb}-{len(self.world.processes)}"
        process = ClientProcess(log, self.argv(verb, *words), self.world.path(f"{log}.log"),
                                env=dict(self.env, **(env or {})))
        self.world.processes.append((process, False))
        return process

    def forward(self, target, *words, **how):
        """A running `forward`, and the local port that it says."""
        process = self.start("forward", target, *words, **how)
        return process, int(process.wait_line(r"127\.0\.0\.1:(\d+)\S* leads to").group(1))

    def proxy(self, *more, config=()):
        """The words of a stock ssh that uses `connect` as its ProxyCommand."""
        argv = ["ssh", "-F", "none", "-o", "UserKnownHostsFile=" + str(self.world.path(f"{self.name}-known")),
                "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes"]
        return [*argv, *config, *more]

    def tool(self, argv, **how):
        """A stock program as this user runs it."""
        return run([str(word) for word in argv], env=self.env, **how)

    def seen(self):
        """The address that the browser was given last."""
        def look():
            return self.visited.exists() and self.visited.read_text(encoding="utf-8").split()
        return wait_for("the browser to be started", look)[-1]


class ClientProcess(Process):
    def interrupt(self, timeout=20.0):
        """Ctrl-C: to all of its foreground group, as a terminal does it; the exit status."""
        os.killpg(self.pid, signal.SIGINT)
        return self.popen.wait(timeout * STRETCH)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def get(url):
    """Status, fields and body of one answer; redirects are not followed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
    try:
        with opener.open(url, timeout=30 * STRETCH) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def command_lines():
    """The words of everything that runs now, as every user of the computer can read them."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            pass


def children(pid):
    """The processes below that one, down to the last."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    for child in [int(word) for word in found.stdout.split()]:
        yield child
        yield from children(child)


def fingerprint(key):
    done = run([find_program("ssh-keygen"), "-lf", f"{key}.pub"])
    return re.search(r"SHA256:\S+", done.stdout).group(0)
