"""The lab itself, by plain tools: what gets through where, and what does not. If this fails, nothing that the other
tests of the lab say means anything."""
import contextlib
import socket
import threading
import time
import unittest

from lab import net

net.seal()

from lab.places import GUEST, MACHINE, WANTED, Home, Laptops, Plan
from lib import STRETCH, Case, wait_for

PORT, MAPPED = 6000, 40001

PLANS = [
    Plan("igd2", "UPnP, IGDv2", pmp=False),
    Plan("igd1", "UPnP, IGDv1", pmp=False, igd1=True),
    Plan("pmp", "NAT-PMP and PCP", upnp=False),
    Plan("permanent", "permanent", router="permanent"),
    Plan("silent", "nothing", router="silent"),
    Plan("symmetric", "symmetric", router="silent", symmetric=True),
    Plan("carrier", "carrier NAT", carrier=True),
    Plan("blocked", "ISP", blocked=True),
    Plan("taken", "taken", taken=True, pmp=False),
    Plan("six", "IPv6", carrier=True, ipv6=True),
    Plan("public", "none", router="none"),
    Plan("far", "50 ms", pmp=False, wire=net.Wire(25, 10)),
]


class Lab(Case):
    @classmethod
    def begin(cls):
        cls.internet = net.Internet(cls.world)
        cls.relay, cls.relay_number = cls.internet.host("relay", ipv6=True)
        cls.laptops = Laptops(cls.world, cls.internet)
        cls.homes = {plan.name: Home(cls.world, cls.internet, plan) for plan in PLANS}
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        for home in cls.homes.values():
            cls.stack.enter_context(home.machine.listen(PORT, "::"))

    def upnpc(self, home, *words):
        description = "desc.xml" if home.plan.router == "permanent" else "rootDesc.xml"
        return home.machine.run("upnpc", "-u", f"http://{home.router.inside}.1:5000/{description}", *words)

    def map(self, home, lease="3600"):
        mine = f"{home.router.inside}.{MACHINE}"
        wait_for("the router", lambda: home.machine.reaches(f"{home.router.inside}.1", 5000))
        return self.upnpc(home, "-a", mine, PORT, MAPPED, "TCP", lease)

    def test_everybody_reaches_the_relay_and_the_443_network_nothing_else(self):
        with self.relay.listen(443), self.relay.listen(PORT):
            address = net.address4(self.relay_number)
            people = [self.laptops.open, self.laptops.nat, *[home.machine for home in self.homes.values()]]
            for who in [*people, self.laptops.https]:
                self.assertTrue(who.reaches(address, 443), who.name)
            for who in people:
                self.assertTrue(who.reaches(address, PORT), who.name)
            self.assertFalse(self.laptops.https.reaches(address, PORT))
        self.assertFalse(self.laptops.https.reaches(self.homes["public"].address, PORT))

    def test_nat_lets_nobody_in(self):
        for home in self.homes.values():
            self.assertEqual(self.laptops.open.reaches(home.address, PORT, 0.4), home.plan.name == "public",
                             home.plan.name)
        self.assertFalse(self.laptops.open.reaches(net.address4(self.laptops.nat_number), PORT))

    def test_a_guest_reaches_the_machine(self):
        for home in self.homes.values():
            if home.guest:
                self.assertTrue(home.guest.reaches(f"{home.router.inside}.{MACHINE}", PORT), home.plan.name)

    def test_a_mapped_port_lets_everybody_in(self):
        for name, lease in (("igd2", "3600"), ("igd1", "3600"), ("permanent", "0")):
            home = self.homes[name]
            done = self.map(home, lease)
            self.assertTrue(self.laptops.open.reaches(home.address, MAPPED), f"{name}: {done.stdout}{done.stderr}")
            self.assertTrue(self.laptops.nat.reaches(home.address, MAPPED))
            self.assertFalse(self.laptops.https.reaches(home.address, MAPPED))
            self.assertFalse(home.guest.reaches(home.address, MAPPED, 0.4), "there is no hairpin")
            self.upnpc(home, "-d", MAPPED, "TCP")
            self.assertFalse(self.laptops.open.reaches(home.address, MAPPED))

    def test_only_permanent_leases(self):
        done = self.map(self.homes["permanent"])
        self.assertIn("725", done.stdout + done.stderr)

    def test_pcp_only(self):
        self.assertIn("No IGD UPnP Device", self.homes["pmp"].machine.run("upnpc", "-m", "lan0", "-s").stderr)


    def test_a_mapping_behind_a_carrier_is_of_no_use(self):
        home = self.homes["carrier"]
        done = self.map(home)
        self.assertFalse(self.laptops.open.reaches(home.address, MAPPED), done.stdout)

    def test_an_isp_that_blocks(self):
        home = self.homes["blocked"]
        self.map(home)
        self.assertIn(MAPPED, home.router.mappings())
        self.assertFalse(self.laptops.open.reaches(home.address, MAPPED))

    def test_the_wanted_port_is_taken(self):
        home = self.homes["taken"]
        done = self.upnpc(home, "-a", f"{home.router.inside}.{MACHINE}", PORT, WANTED, "TCP", "3600")
        self.assertIn("718", done.stdout + done.stderr)

    def test_a_reboot_loses_mappings_and_may_change_the_address(self):
        home = self.homes["igd2"]
        self.map(home)
        self.assertTrue(self.laptops.open.reaches(home.address, MAPPED))
        home.router.reboot()
        self.assertFalse(self.laptops.open.reaches(home.address, MAPPED))
        new = home.address.rsplit(".", 1)[0] + ".3"
        home.router.reboot(new)
        self.map(home)
        self.assertFalse(self.laptops.open.reaches(home.address, MAPPED))
        self.assertTrue(self.laptops.open.reaches(new, MAPPED))

    def test_ipv6_is_guarded_and_a_pinhole_opens_it(self):
        home = self.homes["six"]
        machine = f"{home.router.inside6}:{MACHINE}"
        self.assertTrue(home.guest.reaches(machine, PORT))
        self.assertFalse(self.laptops.open.reaches(machine, PORT))
        description = f"http://[{home.router.inside6}:1]:5000/rootDesc.xml"
        done = home.machine.run("upnpc", "-6", "-u", description, "-A", "", "0", machine, PORT, "TCP", "3600")
        self.assertTrue(self.laptops.open.reaches(machine, PORT), done.stdout + done.stderr)

    def test_symmetric_nat_takes_another_port_for_each_connection(self):
        for name, kept in (("silent", True), ("symmetric", False)):
            with (self.relay.listen(PORT) as listener,
                  self.homes[name].machine.dial(net.address4(self.relay_number), PORT) as mine):
                connection, seen = listener.accept()
                connection.close()
                self.assertEqual(mine.getsockname()[1] == seen[1], kept, name)


    def test_a_long_wire(self):
        home = self.homes["far"]
        with self.relay.listen(PORT):
            took = []
            for _ in range(20):
                began = time.monotonic()
                home.machine.dial(net.address4(self.relay_number), PORT).close()
                took.append(time.monotonic() - began)
        self.assertGreaterEqual(min(took), 0.050)
        self.assertLess(sorted(took)[len(took) // 2], 0.050 + 0.030 * STRETCH, took)

    def test_a_wire_that_loses_one_frame_in_a_hundred(self):
        def receiver():
            taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            taker.bind(("", PORT))
            return taker

        def send():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for number in range(2000):
                    sender.sendto(b"%d" % number, (net.address4(self.relay_number), PORT))
                    time.sleep(0.0005)
        with self.relay.inside(receiver) as taker:
            sending = threading.Thread(target=self.homes["far"].machine.inside, args=(send,))
            sending.start()
            taker.settimeout(5)
            got = 0
            with contextlib.suppress(TimeoutError):
                while taker.recv(100):
                    got += 1
            sending.join()
        self.assertGreater(got, 1900)
        self.assertLess(got, 2000)


if __name__ == "__main__":
    unittest.main()
