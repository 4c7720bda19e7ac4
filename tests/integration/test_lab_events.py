"""What happens to homes and laptops while they are in use: routers restart, machines and laptops are carried elsewhere,
mappings die without a word."""
import time
import unittest

from lab import net

net.seal()

from lab.places import MACHINE, Plan
from lab.plans import Row
from lab.router import block_inbound
from lab.town import Town
from lib import STRETCH, Case, wait_for

NOTICED = 30.0  # a mapping that was lost in a restart is there again within this
CARRIED = 5.0   # and a machine that was carried elsewhere, from the moment of its address
GRACE = 6.0     # for the questions themselves on a busy machine, the router's start included

ROWS = [Row(Plan("told", router="permanent", carrier=True), {}, ""),
        Row(Plan("igd2", pmp=False), {}, ""), Row(Plan("pcp", upnp=False), {}, ""),
        Row(Plan("silent", router="silent"), {}, "")]


class Events(Case):
    @classmethod
    def begin(cls):
        cls.town = Town(cls.world, ROWS)
        cls.open = cls.town.places.open

    def setUp(self):
        for name in ("igd2", "pcp"):
            self.proved(name)

    def proved(self, name, address=None, timeout=20.0):
        """Waits until the relay has proved a port of that address (or of the home's) for the machine, and nothing else
        is told; the way."""
        address = address or self.town.homes[name].address
        machine = self.town.machines[name]
        wait_for(f"a proved port of {address} for {name}",
                 lambda: [way["address"] for way in machine.verified().values()] == [address], timeout)
        return machine.verified()["mapped"]

    def reboot(self, name, address=None):
        home = self.town.homes[name]
        home.router.reboot(address)
        home.address = address or home.address
        began = time.monotonic()
        wait_for("the port mapped anew", home.router.mappings, 60)
        took = time.monotonic() - began
        way = self.proved(name)
        self.assertLess(took, (NOTICED + GRACE) * STRETCH)
        wait_for("it to work", lambda: self.open.reaches(way["address"], way["port"]), 10)

    def test_a_router_restarts(self):
        self.reboot("igd2")

    def test_a_router_restarts_with_another_address(self):
        self.reboot("igd2", net.address4(self.town.homes["igd2"].number)[:-1] + "9")

    def test_a_router_with_pcp_restarts(self):
        self.reboot("pcp")

    def test_a_machine_is_carried_to_another_network_and_back(self):
        machine = self.town.homes["igd2"].machine
        first, second = self.town.homes["igd2"], self.town.homes["pcp"]
        for old, new, last in ((first, second, MACHINE + 1), (second, first, MACHINE)):
            left = self.proved("igd2", old.address)
            since = self.town.relay.machine("igd2")["since"]
            old.router.unplug(machine)
            time.sleep(2)
            new.router.plug(machine, last)
            began = time.monotonic()
            wait_for("the machine under its name", lambda: self.town.relay.machine("igd2")["online"] and
                     self.town.relay.machine("igd2")["since"] > since, 30)
            self.assertLess(time.monotonic() - began, (CARRIED + GRACE / 2) * STRETCH)
            way = self.proved("igd2", new.address)
            self.assertNotEqual((way["address"], way["port"]), (left["address"], left["port"]))

    def test_a_router_that_tells_of_the_carriers_nat(self):
        outside = f"100.64.{self.town.homes['told'].number}.2"
        wait_for("the reason", lambda: outside in self.town.relay.ctl("status", "told"), 20, 0.3)
        self.assertRegex(self.town.relay.ctl("status", "told"), "(?i)carrier NAT")

    def test_a_laptop_is_carried_from_network_to_network(self):
        town = self.town
        laptop = town.laptop("nat")
        self.assertEqual(laptop.ssh("pcp").route(), "direct")
        town.places.nat_router.unplug(laptop.namespace)
        for router, route in ((town.homes["pcp"].router, "lan"), (town.places.https_router, "relayed"),
                              (town.places.nat_router, "direct")):
            router.plug(laptop.namespace, MACHINE + 5)
            for _ in range(2):
                visit = laptop.ssh("pcp")
                self.assertEqual(visit.route(), route, visit.error)
            router.unplug(laptop.namespace)
        town.places.nat_router.plug(laptop.namespace, MACHINE)

    def test_a_mapping_dies_without_a_word(self):
        """The client has used it, remembers it, and gets in all the same; the relay looks again, and says why."""
        town = self.town
        laptop = town.laptop("open")
        self.assertEqual(laptop.ssh("pcp").route(), "direct")
        number = town.homes["pcp"].number
        block_inbound(town.internet, number)
        try:
            visit = laptop.ssh("pcp")
            self.assertEqual(visit.route(), "relayed", visit.error)
            # What it found reaches the relay with its next question at the latest.
            laptop.ssh("pcp")
            wait_for("the relay to have found out", lambda: town.machines["pcp"].candidates()["mapped"]["state"] ==
                     "failed", 20, 0.3)
            self.assertIn("nothing arrives", town.relay.ctl("status", "pcp"))
            visit = laptop.ssh("pcp")
            self.assertIn(visit.route(), ("relayed", "punched"), visit.error)
            self.assertNotIn("direct", visit.error.split("relay: ")[0])
        finally:
            block_inbound(town.internet, number, on=False)
        # It is checked anew as soon as somebody changes something; here the machine starts again.
        agent = town.machines["pcp"].agent
        agent.process.stop()
        agent.start("ssh")
        self.proved("pcp", timeout=30)
        wait_for("the direct way", lambda: laptop.ssh("pcp").route() == "direct", 20, 1)


if __name__ == "__main__":
    unittest.main()
