"""Routers of homes and carriers: real NAT and firewalls by nftables, and what homes' routers offer: a real miniupnpd, a
router that grants permanent mappings only, or nothing."""
import json
import os
import pathlib
import sys
import time
import uuid

from lib import find_program

from .net import Namespace, cable, check

# Seconds that a restart takes. NAT-PMP and PCP tell one by the router's clock alone, an eighth of which may go wrong
# (RFC 6886 section 3.6), so what takes less time may pass unseen.
OFF = 5

_HERE = pathlib.Path(__file__).resolve().parent

# What a router's firewall does: people inside may go out, answers come in, and what was mapped. (Where the kernel has
# br_netfilter, what the LAN's computers say to each other passes here, too.) miniupnpd and the router
# of fake_igd.py write into the first three chains.
FIREWALL = """
table inet filter {
    chain miniupnpd { }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
    chain outward { %(outward)s; }
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iifname { "lo", "lan0" } accept
        meta l4proto { icmp, ipv6-icmp } accept
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        meta l4proto ipv6-icmp accept
        ct state established,related accept
        iifname "lan0" oifname "lan0" accept
        iifname "lan0" oifname "wan0" jump outward
        jump miniupnpd
    }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain postrouting {
        type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
        meta nfproto ipv4 oifname "wan0" masquerade %(masquerade)s
    }
}
"""

# An ISP that lets nobody call its customers: only what they began themselves passes.
INBOUND_BLOCKED = """
table inet %(table)s {
    chain forward {
        type filter hook forward priority -10; policy accept;
        oifname "%(port)s" ct state new drop
    }
}
"""

DAEMON = """
ext_ifname=wan0
listening_ip=lan0
http_port=5000
enable_upnp=%(upnp)s
enable_natpmp=%(pmp)s
secure_mode=yes
min_lifetime=120
max_lifetime=86400
notify_interval=30
lease_file=%(leases)s
uuid=%(uuid)s
force_igd_desc_v1=%(igd1)s
system_uptime=no
%(more)s
allow 1024-65535 192.168.0.0/16 22-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Router:
    """Between lan0, a switch with as many computers as wanted, and wan0, which somebody else connects."""

    def __init__(self, world, name, inside, inside6=None, symmetric=False, outward="accept"):
        self.world = world
        self.name = name
        self.namespace = Namespace(name)
        self.inside = inside    # the first three numbers of the addresses inside
        self.inside6 = inside6  # the same for IPv6: "2a45:7:1:"
        self.masquerade = "random,fully-random" if symmetric else ""
        self.outward = outward
        self.daemon = None
        self.start_daemon = None
        # A bridge whose address was not set takes the lowest of its ports', and so another one with each computer that is
        # plugged in: the others would send into the void for many seconds.
        mac = ":".join(f"{byte:02x}" for byte in b"\2" + os.urandom(5))
        self.namespace.ip(f"link add lan0 address {mac} type bridge", "link set lan0 up",
                          f"addr add {inside}.1/24 dev lan0")
        if inside6:
            self.namespace.ip(f"addr add {inside6}:1/64 dev lan0 nodad")
        self.namespace.forwards()
        self.firewall()

    def firewall(self):
        self.namespace.nft("flush ruleset\n" + FIREWALL % {"masquerade": self.masquerade, "outward": self.outward})

    def plug(self, namespace, last, name="lan0"):
        """Gives the namespace an interface of that name, with the address whose last number is said."""
        port = f"port{last}"
        cable(namespace, name, self.namespace, port)
        self.namespace.ip(f"link set {port} master lan0")
        self.configure(namespace, last, name)

    def configure(self, namespace, last, name="lan0"):
        """Addresses and routes as DHCP would give them."""
        namespace.ip(f"addr add {self.inside}.{last}/24 dev {name}", f"route add default via {self.inside}.1")
        if self.inside6:
            namespace.ip(f"addr add {self.inside6}:{last}/64 dev {name} nodad",
                         f"route add default via {self.inside6}:1")

    def unplug(self, namespace):
        namespace.ip("link del lan0")

    def computer(self, name, last):
        namespace = Namespace(name)
        self.plug(namespace, last)
        return namespace

    # What offers mappings

    def miniupnpd(self, upnp=True, pmp=True, igd1=False):
        """A real one, as routers carry it. Its answers take effect in the firewall above."""
        leases = self.world.path(f"{self.name}-leases")
        config = self.world.path(f"{self.name}-miniupnpd.conf")
        more = "ext_ifname6=wan0\n" if self.inside6 else "ipv6_disable=yes\n"
        config.write_text(DAEMON % {
            "upnp": "yes" if upnp else "no", "pmp": "yes" if pmp else "no", "igd1": "yes" if igd1 else "no",
            "leases": leases, "uuid": uuid.uuid5(uuid.NAMESPACE_DNS, self.name), "more": more}, encoding="ascii")

        def start():
            leases.unlink(missing_ok=True)
            return self.world.start(f"{self.name}-miniupnpd", self.namespace.argv(
                find_program("miniupnpd"), "-d", "-f", config, "-P", self.world.path(f"{self.name}-miniupnpd.pid")),
                clean_end=False)
        self.start_daemon = start
        self.daemon = start()

    def permanent_only(self):
        """A router that answers 725 to a finite lease."""
        def start():
            return self.world.start(f"{self.name}-igd", self.namespace.argv(
                sys.executable, "-B", _HERE / "fake_igd.py", f"{self.inside}.1", wan_address(self.namespace)),
                clean_end=False)
        self.start_daemon = start
        self.daemon = start()

    def mappings(self):
        """External ports that lead inside, as the firewall has them: {port: (address, port)}."""
        listed = json.loads(self.namespace.check("nft", "-j", "list", "chain", "inet", "filter",
                                                 "prerouting_miniupnpd"))
        found = {}
        for rule in (item["rule"]["expr"] for item in listed["nftables"] if "rule" in item):
            ports = [part["match"]["right"] for part in rule if "match" in part and
                     part["match"]["left"].get("payload", {}).get("field") == "dport"]
            for part in rule:
                if "dnat" in part and ports:
                    found[ports[0]] = (part["dnat"]["addr"], part["dnat"]["port"])
        return found

    def reboot(self, address=None):
        """Off and on again; with `address` it comes back with another one of its ISP's addresses."""
        if self.daemon:
            self.daemon.kill()
        address = address or wan_address(self.namespace)
        self.namespace.ip("link set wan0 down", "link set lan0 down")
        self.firewall()
        self.namespace.forget_connections()
        time.sleep(OFF)
        self.namespace.ip("addr flush dev wan0", f"addr add {address}/24 dev wan0", "link set lan0 up",
                          "link set wan0 up", f"route replace default via {address.rsplit('.', 1)[0]}.1")
        if self.start_daemon:
            self.daemon = self.start_daemon()


def wan_address(namespace):
    """The IPv4 address of wan0."""
    listed = json.loads(check(["ip", "-n", namespace.name, "-j", "-4", "addr", "show", "dev", "wan0"]))
    return listed[0]["addr_info"][0]["local"]


def block_inbound(internet, number, on=True):
    """What the ISP of that site does: see INBOUND_BLOCKED."""
    table = f"isp{number}"
    internet.router.nft(f"table inet {table} {{ }}\ndelete table inet {table}\n" +
                        (INBOUND_BLOCKED % {"table": table, "port": f"site{number}"} if on else ""))
