"""Homes with a machine and a guest, and laptops in networks of their own."""
import dataclasses
import shutil

from lib import Agent, Sshd

from .net import Wire, address4
from .router import Router, block_inbound

MACHINE, GUEST, NEIGHBOUR = 20, 30, 40  # the last numbers of addresses in a home
WANTED = 40022  # the external port that machines with a wish ask for

HTTPS_ONLY = "tcp dport 443 accept"


@dataclasses.dataclass(frozen=True)
class Plan:
    """A kind of home."""
    name: str
    words: str = ""
    router: str = "miniupnpd"  # "miniupnpd", "permanent", "silent", "none": the machine is right on the internet
    upnp: bool = True
    pmp: bool = True
    igd1: bool = False
    carrier: bool = False    # the ISP has a NAT in front
    ipv6: bool = False       # and gives IPv6, which the router's firewall guards
    blocked: bool = False    # the ISP lets nobody in
    symmetric: bool = False  # the NAT takes another port for each connection
    taken: bool = False      # the port that the machine wants leads to a neighbour
    wire: Wire | None = None  # a long or bad one to the internet
    reboot: str = ""         # "same", "new": the router starts anew before anybody comes, and with which address


class Home:
    """The network of a home, and its computers: machine, guest (a laptop on the same LAN), router."""

    def __init__(self, world, internet, plan):
        self.world = world
        self.plan = plan
        self.carrier = None
        self.router = None
        if plan.router == "none":
            self.machine, self.number = internet.host(plan.name)
            self.guest = None
            self.address = address4(self.number)
            return
        self._connect(internet, plan)
        self.address = address4(self.number)  # what the internet sees
        if plan.blocked:
            block_inbound(internet, self.number)
        self.machine = self.router.computer(plan.name, MACHINE)
        self.guest = self.router.computer(f"{plan.name}-guest", GUEST)
        if plan.router == "miniupnpd":
            self.router.miniupnpd(plan.upnp, plan.pmp, plan.igd1)
        elif plan.router == "permanent":
            self.router.permanent_only()
        if plan.taken:
            self.take(WANTED)

    def _connect(self, internet, plan):
        number = internet.count + 1
        inside6 = f"2a45:{number}:1:" if plan.ipv6 else None
        if not plan.carrier:
            self.router = Router(self.world, f"{plan.name}-router", f"192.168.{number}", inside6, plan.symmetric)
            self.number = internet.site(self.router.namespace, plan.ipv6, plan.wire)
            return
        self.carrier = Router(self.world, f"{plan.name}-carrier", f"100.64.{number}",
                              f"2a45:{number}:2:" if plan.ipv6 else None)
        self.number = internet.site(self.carrier.namespace, plan.ipv6, plan.wire)
        self.router = Router(self.world, f"{plan.name}-router", f"192.168.{number}", inside6, plan.symmetric)
        self.carrier.plug(self.router.namespace, 2, "wan0")
        if plan.ipv6:
            # What a carrier does with IPv6: it hands out a network, and has nothing against those who call.
            internet.router.ip(f"route add 2a45:{number}:2::/64 via 2a45:{number}::2")
            self.carrier.namespace.ip(f"route add 2a45:{number}:1::/64 via 2a45:{number}:2::2")
            self.carrier.namespace.nft('insert rule inet filter forward meta nfproto ipv6 accept\n')

    def take(self, port):
        """A neighbour on the LAN maps that external port to itself."""
        neighbour = self.router.computer(f"{self.plan.name}-neighbour", NEIGHBOUR)
        address = f"{self.router.inside}.{NEIGHBOUR}"
        done = neighbour.run("upnpc", "-m", "lan0", "-a", address, "5000", port, "TCP", "3600")
        if self.router.mappings().get(port) != (address, 5000):
            raise AssertionError(f"the neighbour got no port: {done.stdout}{done.stderr}")


class Laptops:
    """The networks that a laptop may be in, beside the homes."""

    def __init__(self, world, internet):
        self.open, _ = internet.host("open", ipv6=True)
        self.nat_router = Router(world, "nat-router", "192.168.201")
        self.nat_number = internet.site(self.nat_router.namespace)
        self.nat = self.nat_router.computer("nat", MACHINE)
        self.https_router = Router(world, "https-router", "192.168.202", outward=HTTPS_ONLY)
        internet.site(self.https_router.namespace)
        self.https = self.https_router.computer("https", MACHINE)


class HomeSshd(Sshd):
    """sshd as it comes with a machine: on port 22 of all its addresses."""

    def __init__(self, world, namespace, more=""):
        self.within = namespace.argv()
        super().__init__(world, f"{namespace.name}-sshd", more, port=22, listen="0.0.0.0")
        self.etc = world.folder(f"{namespace.name}-etc-ssh")  # what /etc/ssh is on this machine
        shutil.copy(f"{self.host_key}.pub", self.etc / "ssh_host_ed25519_key.pub")


class HomeAgent(Agent):
    def __init__(self, world, namespace, relay, sshd, config="", env=None):
        # `ip netns exec` gives each program a view of the files of its own, so it can have an /etc/ssh of its own.
        self.within = namespace.argv("sh", "-c", f'mount --bind {sshd.etc} /etc/ssh && exec "$0" "$@"')
        super().__init__(world, namespace.name, relay, config, env)
