"""A home in network namespaces: a router with miniupnpd (or nothing, for a fake one), two machines behind it.

Only within a sealed namespace (see seal()): no packet can leave it.
"""
import json
import os
import pathlib
import subprocess
import sys

from .process import run, wait_for
from .world import find_program

FAKE = pathlib.Path(__file__).with_name("fake_router.py")
LAN, WAN = "192.168.77", "45.67.1"
GATEWAY, BOX, OTHER, EXTERNAL = f"{LAN}.1", f"{LAN}.2", f"{LAN}.3", f"{WAN}.2"
GATEWAY6, BOX6, OTHER6 = "2001:db8:77::1", "2001:db8:77::2", "2001:db8:77::3"

# Of each namespace, before it has interfaces: addresses count at once, the router forwards.
SETTINGS = {
    "router": ["ipv6/conf/default/accept_dad=0", "ipv6/conf/all/forwarding=1", "ipv4/ip_forward=1"],
    "box": ["ipv6/conf/default/accept_dad=0"],
    "other": ["ipv6/conf/default/accept_dad=0"],
    "net": [],
}
NETWORK = f"""
ip link add wan0 netns router type veth peer name isp0 netns net
ip link add eth0 netns box type veth peer name box0 netns router
ip link add eth0 netns other type veth peer name other0 netns router
ip -n router link add lan0 type bridge
ip -n router link set box0 master lan0
ip -n router link set other0 master lan0
ip -n router link set lo up
ip -n box link set lo up
ip -n other link set lo up
ip -n net link set lo up
ip -n router addr add {EXTERNAL}/24 dev wan0
ip -n router addr add {GATEWAY}/24 dev lan0
ip -n router addr add {GATEWAY6}/64 dev lan0 nodad
ip -n box addr add {BOX}/24 dev eth0
ip -n box addr add {BOX6}/64 dev eth0 nodad
ip -n other addr add {OTHER}/24 dev eth0
ip -n other addr add {OTHER6}/64 dev eth0 nodad
ip -n net addr add {WAN}.1/24 dev isp0
ip -n router link set box0 up
ip -n router link set other0 up
ip -n router link set lan0 up
ip -n router link set wan0 up
ip -n box link set eth0 up
ip -n other link set eth0 up
ip -n net link set isp0 up
ip -n box route add default via {GATEWAY}
ip -n other route add default via {GATEWAY}
ip -n router route add default via {WAN}.1
"""

RULES = """
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "lan0" accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting {
        type nat hook prerouting priority -100;
        jump prerouting_miniupnpd
    }
    chain prerouting_miniupnpd { }
    chain postrouting {
        type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
        oifname "wan0" masquerade
    }
    chain postrouting_miniupnpd { }
}
"""

MINIUPNPD = """
ext_ifname=wan0
listening_ip=lan0
http_port=5000
enable_upnp={upnp}
enable_natpmp={pcp}
secure_mode={secure}
force_igd_desc_v1={old}
min_lifetime=10
max_lifetime=86400
lease_file={folder}/leases
uuid=8a4b2c1e-0b5c-4c5c-9d0e-1f2a3b4c5d6e
system_uptime=no
clean_ruleset_interval=600
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
upnp_table_name=filter
upnp_nat_table_name=filter
allow 1024-65535 192.168.77.0/24 22-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


def seal():
    """Starts this test anew in network and mount namespaces of its own."""
    if os.environ.get("SALLYPORT_SEALED") != "1":
        more = [] if os.getuid() == 0 else ["--map-root-user"]
        os.execvpe("unshare", ["unshare", "--net", "--mount", *more, *sys.orig_argv],
                   {**os.environ, "SALLYPORT_SEALED": "1"})


def command(line):
    done = run(line.split())
    if done.returncode != 0:
        raise AssertionError(f"{line}: {done.stderr}")


def within(namespace, argv):
    return ["ip", "netns", "exec", namespace, *argv]


class Home:
    """The network, once a test; routers() start and stop in it."""

    def __init__(self, world):
        self.world = world
        self.started = 0
        self.daemon = None
        command("mount -t tmpfs none /run")
        os.makedirs("/run/netns", exist_ok=True)
        for namespace, settings in SETTINGS.items():
            command(f"ip netns add {namespace}")
            for setting in settings:
                name, value = setting.split("=")
                done = run(within(namespace, ["sh", "-c", f"echo {value} >/proc/sys/net/{name}"]))
                if done.returncode != 0:
                    raise AssertionError(done.stderr)
        for line in NETWORK.strip().splitlines():
            command(line)
        # The box's IPv6 route as it would come with an advertisement: by the router's own address of the link.
        link = json.loads(run("ip -n router -j -6 addr show dev lan0 scope link".split()).stdout)
        self.gateway6 = next(found["local"] for found in link[0]["addr_info"] if found.get("scope") == "link")
        command(f"ip -n box route add default via {self.gateway6} dev eth0")
        self.rules()

    def rules(self):
        """The firewall as after a start: without a mapping."""
        done = run(within("router", ["nft", "flush ruleset"]))
        done = run(within("router", ["nft", "-f", "-"]), input=RULES) if done.returncode == 0 else done
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def start(self, **options):
        """miniupnpd with options of MINIUPNPD."""
        self.started += 1
        folder = pathlib.Path(self.world.folder(f"router-{self.started}"))
        chosen = {"upnp": "yes", "pcp": "no", "secure": "yes", "old": "no", "folder": folder, **options}
        (folder / "conf").write_text(MINIUPNPD.format(**chosen), encoding="ascii")
        self.daemon = self.world.start(f"router-{self.started}", within("router", [
            find_program("miniupnpd"), "-d", "-f", folder / "conf", "-P", folder / "pid"]), clean_end=False)
        # PCP's socket opens after that of UPnP: before, a question to it is refused.
        self.daemon.wait_line("Listening for NAT-PMP" if chosen["pcp"] == "yes" else "HTTP listening on port")

    def stop(self):
        """As if its power was cut: no goodbye, no mapping left."""
        if self.daemon:
            self.daemon.kill()
            self.daemon = None
        self.rules()

    def ruleset(self):
        return run(within("router", ["nft", "list", "ruleset"])).stdout

    def upnpc(self, namespace, *words):
        """Another client of the router."""
        return run(within(namespace, ["upnpc", *words]))

    def fake(self, name, namespace="router", **options):
        """A router that is wrong in a way (lib/fake_router.py), instead of miniupnpd."""
        server = self.world.start(f"fake-{name}", within(namespace, [
            sys.executable, "-B", FAKE, json.dumps({"lan": GATEWAY, **options})]), clean_end=False)
        server.wait_line("^ready")
        return server

    def listen(self, namespace, address, port):
        """Something that answers on that port."""
        code = ("import socket,sys\n"
                "s=socket.create_server((sys.argv[1],int(sys.argv[2])),family=socket.AF_INET6 if ':' in sys.argv[1] "
                "else socket.AF_INET)\nprint('ready',flush=True)\n"
                "while True:\n c,_=s.accept()\n c.sendall(b'the box');c.close()\n")
        argv = within(namespace, [sys.executable, "-c", code, address, str(port)])
        server = self.world.start(f"listen-{namespace}-{port}", argv, clean_end=False)
        server.wait_line("ready")
        return server

    def reaches(self, namespace, address, port):
        """Whether a connection from there arrives at the box."""
        code = ("import socket,sys\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])),3)\ns.settimeout(3)\n"
                "print(s.recv(64).decode())")
        done = subprocess.run(within(namespace, [sys.executable, "-c", code, address, str(port)]), capture_output=True,
                              text=True, timeout=60, check=False)
        return done.stdout.strip() == "the box"


class Probe:
    """Requests to the port mapper from the box, with one memory."""

    def __init__(self, world, name="probe", namespace="box"):
        self.memory = world.path(f"{name}.memory")
        self.namespace = namespace

    def argv(self, op, **options):
        chosen = {"memory": self.memory, **options}
        return within(self.namespace, [os.environ["SALLYPORT_PORTMAP_PROBE"], op,
                                       *(f"{name}={value}" for name, value in chosen.items())])

    def ask(self, op, **options):
        done = run(self.argv(op, **options))
        if done.returncode != 0:
            raise AssertionError(f"{op} exited with {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)
