"""The homes of the lab, and the best route that physics allows from each kind of network: what must come out."""
import dataclasses

from .net import Wire
from .places import Plan

LAPTOPS = ("open", "nat", "https", "guest")
LAPTOP_WORDS = {"open": "on the open internet", "nat": "behind a NAT", "https": "only TCP 443 gets out",
                "guest": "on the machine's LAN"}


@dataclasses.dataclass(frozen=True)
class Row:
    plan: Plan
    routes: dict  # by the laptop's network; once the first connection is over; a|b: they are the same
    why: str
    says: str = ""  # what the relay tells people who ask why there is no direct way


def row(why, routes, says="", **plan):
    return Row(Plan(**plan), dict(zip(LAPTOPS, routes.split())), why, says)


DIRECT = "direct direct relayed lan"
PUNCHED = "punched punched relayed lan"

ROWS = [
    row("the machine has a public address of its own", "direct direct relayed -",
        name="public", words="no router: right on the internet", router="none"),
    row("a mapped port", DIRECT, name="igd2", words="router with UPnP, IGDv2", pmp=False),
    row("a mapped port", DIRECT, name="igd1", words="router with UPnP, IGDv1", pmp=False, igd1=True),
    row("a mapped port", DIRECT, name="pcp", words="router with NAT-PMP and PCP only", upnp=False),
    row("a mapped port, for ever; the agent takes it away itself", DIRECT,
        name="permanent", words="router with UPnP that grants permanent mappings only", router="permanent"),
    row("another port is mapped", DIRECT,
        name="taken", words="the wanted port is a neighbour's", pmp=False, taken=True),
    row("mapped anew", DIRECT, name="reboot-same", words="the router was restarted, same address", reboot="same"),
    row("mapped anew at the new address", DIRECT, name="reboot-new", words="the router was restarted, another address",
        pmp=False, reboot="new"),
    row("a pinhole for those who have IPv6; the others meet it at the carrier's NAT",
        "direct punched relayed lan|direct",
        name="six", words="IPv6 with a firewall, IPv4 by carrier NAT", carrier=True, ipv6=True),
    row("nothing is mapped; both sides' NATs let in whom they were told of", PUNCHED,
        "no router answers", name="silent", words="router that maps nothing", router="silent"),
    row("a mapping behind the carrier's NAT is of no use", PUNCHED,
        "carrier NAT", name="carrier", words="carrier NAT in front", carrier=True),
    row("the router maps, but nothing arrives", PUNCHED,
        "ISP blocks inbound", name="blocked", words="the ISP blocks inbound", blocked=True),
    row("a mapped port; the wire is what takes its time", DIRECT,
        name="far", words="round trips of 50 ms, 1% loss", wire=Wire(25, 10)),
    row("its port is another for each who connects: nobody can be told of it", "relayed relayed relayed lan",
        "no router answers",
        name="symmetric", words="symmetric NAT that maps nothing", router="silent", symmetric=True),
]
