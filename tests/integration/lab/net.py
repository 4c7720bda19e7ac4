"""Network namespaces that no packet leaves: an internet of made-up public addresses with sites on it.

Site number N has the address 45.N.0.2 (and 2a45:N::2 where it has IPv6) of its own, given by the router `inet`.
"""
import ctypes
import dataclasses
import os
import socket
import struct
import subprocess
import sys
import threading
import unittest

from lib import run

RUN = "/run/netns"
DELAY_LINK = os.environ.get("SALLYPORT_DELAY_LINK", "delay_link")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def seal():
    """To be called first by a test of the lab: begins the program anew in namespaces of its own for network, mounts and
    processes, so that nothing leaves the machine, and everything ends with it."""
    if os.environ.get("SALLYPORT_SEALED") == "1":
        return
    if os.getuid() != 0:
        raise unittest.SkipTest("the lab has routers and sshd on port 22: it needs root")
    os.execvpe("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                           *sys.orig_argv], {**os.environ, "SALLYPORT_SEALED": "1"})


def check(argv, text=None):
    done = run(argv, input=text) if text is not None else run(argv)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stdout}{done.stderr}{text or ''}")
    return done.stdout


def in_thread(action):
    """action() in a thread of its own, whose namespace can be changed without harm; its result or its exception."""
    result = []

    def body():
        try:
            result.append((action(), None))
        except BaseException as error:  # handed on to the caller
            result.append((None, error))
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


class Namespace:
    """One computer: a network namespace with a name."""

    def __init__(self, name):
        self.name = name
        check(["ip", "netns", "add", name])
        self.ip("link set lo up")
        # What the machine under the test has (BBR perhaps) would hide loss; and nobody here has a twin.
        self.sysctl("ipv4/tcp_congestion_control", "reno")
        for which in ("all", "default"):
            self.sysctl(f"ipv6/conf/{which}/accept_dad", "0")

    def argv(self, *words):
        return ["ip", "netns", "exec", self.name, *[str(word) for word in words]]

    def run(self, *words, **how):
        return run(self.argv(*words), **how)

    def check(self, *words, text=None):
        return check(self.argv(*words), text)

    def popen(self, *words, **how):
        return subprocess.Popen(self.argv(*words), **how)

    def ip(self, *lines):
        check(["ip", "-n", self.name, "-batch", "-"], "".join(line + "\n" for line in lines))

    def nft(self, rules):
        self.check("nft", "-f", "-", text=rules)

    def inside(self, action):
        """action() with the thread that runs it in this namespace: for sockets, and for /proc/sys/net."""
        def body():
            with open(f"{RUN}/{self.name}", "rb") as namespace:
                if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {self.name}")
            return action()
        return in_thread(body)

    def sysctl(self, key, value):
        def write():
            with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
                file.write(value)
        self.inside(write)

    def forwards(self, on=True):
        self.sysctl("ipv4/ip_forward", str(int(on)))
        self.sysctl("ipv6/conf/all/forwarding", str(int(on)))

    def listen(self, port, host="0.0.0.0"):
        """A TCP socket that listens in this namespace."""
        six = ":" in host
        return self.inside(lambda: socket.create_server((host, port), dualstack_ipv6=six,
                                                        family=socket.AF_INET6 if six else socket.AF_INET))

    def dial(self, address, port, timeout=5.0):
        """A TCP connection out of this namespace."""
        return self.inside(lambda: socket.create_connection((address, port), timeout))

    def reaches(self, address, port, timeout=1.5):
        """Whether somebody accepts there, as seen from here."""
        try:
            self.dial(address, port, timeout).close()
        except OSError:
            return False
        return True

    def forget_connections(self):
        """Empties the table of connections that NAT lives by, as a reboot does."""
        def flush():
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:  # NETLINK_NETFILTER
                # nlmsghdr: 20 bytes, IPCTNL_MSG_CT_DELETE of ctnetlink, NLM_F_REQUEST | NLM_F_ACK; and an nfgenmsg.
                netfilter.send(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0))
                error = struct.unpack_from("=i", netfilter.recv(4096), 16)[0]
                if error:
                    raise OSError(-error, "flush of conntrack")
        self.inside(flush)


def cable(a, a_name, b, b_name):
    """A wire between two computers, up at both ends."""
    check(["ip", "link", "add", a_name, "netns", a.name, "type", "veth", "peer", "name", b_name, "netns", b.name])
    a.ip(f"link set {a_name} up")
    b.ip(f"link set {b_name} up")


def address4(number):
    return f"45.{number}.0.2"


def address6(number):
    return f"2a45:{number}::2"


# A wire that loses some of what it carries, at one of its ends; there is no netem everywhere.
LOSS = """
table netdev wire {
    chain %(device)s {
        type filter hook ingress device "%(device)s" priority 0; policy accept;
        numgen random mod 1000 < %(per_mille)d drop
    }
}
"""


@dataclasses.dataclass(frozen=True)
class Wire:
    """What is between a site and the internet: milliseconds for one way, lost frames of a thousand."""
    delay_ms: float
    lost: int


class Internet:
    """The router between all sites. Call once a test program: names of namespaces are the program's."""

    def __init__(self, world):
        self.world = world
        os.makedirs(RUN, exist_ok=True)
        check(["mount", "-t", "tmpfs", "none", RUN])
        check(["ip", "link", "set", "lo", "up"])
        self.router = Namespace("inet")
        self.router.forwards()
        self.count = 0

    def _wire(self, wire, namespace, port):
        if not wire:
            cable(namespace, "wan0", self.router, port)
            return
        link = self.world.start(f"wire-{port}", [DELAY_LINK, wire.delay_ms, namespace.name, "wan0", self.router.name,
                                                 port], clean_end=False)
        link.wait_line("ready")
        for end, device in ((namespace, "wan0"), (self.router, port)):
            end.nft(LOSS % {"device": device, "per_mille": wire.lost})

    def site(self, namespace, ipv6=False, wire=None):
        """Gives the namespace an interface wan0 with the next site's addresses; its number."""
        self.count += 1
        number = self.count
        port = f"site{number}"
        self._wire(wire, namespace, port)
        self.router.ip(f"addr add 45.{number}.0.1/24 dev {port}")
        namespace.ip(f"addr add {address4(number)}/24 dev wan0", f"route add default via 45.{number}.0.1")
        if ipv6:
            self.router.ip(f"addr add 2a45:{number}::1/64 dev {port} nodad",
                           f"route add 2a45:{number}:1::/64 via {address6(number)}")
            namespace.ip(f"addr add {address6(number)}/64 dev wan0 nodad", f"route add default via 2a45:{number}::1")
        return number

    def host(self, name, ipv6=False):
        """A computer right on the internet."""
        namespace = Namespace(name)
        return namespace, self.site(namespace, ipv6)
