"""The port mapper with a real router: miniupnpd and nftables in network namespaces, connections from outside."""
import time
import unittest

from lib import Case, wait_for
from lib.home import BOX6, EXTERNAL, OTHER, Home, Probe, command, seal

seal()

PORT = 41234


class Routers(Case):
    @classmethod
    def begin(cls):
        cls.home = Home(cls.world)
        cls.home.listen("box", "0.0.0.0", PORT)
        cls.home.listen("box", BOX6, PORT)
        command("ip -n net addr add 2001:db8:1::1/64 dev isp0 nodad")
        command("ip -n router addr add 2001:db8:1::2/64 dev wan0 nodad")
        command("ip -n net route add default via 2001:db8:1::2")
        cls.probes = 0

    def setUp(self):
        type(self).probes += 1
        self.probe = Probe(self.world, f"probe-{self.probes}")
        self.addCleanup(self.home.stop)

    def map(self, outcome="ok", **options):
        result = self.probe.ask("map", **options)
        self.assertEqual(result["outcome"], outcome, result)
        self.assertTrue(result["childless"], "the child was not reaped")
        return result

    def check(self, outcome="ok", **options):
        result = self.probe.ask("check", **options)
        self.assertEqual(result["outcome"], outcome, result)
        return result

    def reached(self):
        return self.home.reaches("net", EXTERNAL, PORT)

    def life(self, protocol, **options):
        """Mapped, reached from outside, renewed, checked, taken away."""
        self.home.start(**options)
        first = self.map()
        self.assertEqual(first["protocol"], protocol)
        self.assertEqual((first["external_port"], first["external_address"]), (PORT, EXTERNAL))
        self.assertIn(first["lease_s"], range(3500, 3601))  # a router says what is left of it
        self.assertTrue(self.reached())
        again = self.map()
        self.assertEqual(again["external_port"], PORT)
        self.check()
        self.assertEqual(self.probe.ask("unmap")["outcome"], "ok")
        self.assertFalse(self.reached())
        self.assertNotIn(str(PORT), self.home.ruleset())
        return first

    def test_igd_2(self):
        self.assertIn("MiniUPnPd", self.life("upnp")["router"])

    def test_igd_1(self):
        self.life("upnp", old="yes")

    def test_pcp(self):
        self.life("pcp", upnp="no", pcp="yes")

    def test_pcp_comes_before_upnp(self):
        self.life("pcp", pcp="yes")

    def test_what_is_wanted_decides(self):
        self.home.start(pcp="yes")
        self.assertEqual(self.map(use="upnp")["protocol"], "upnp")
        self.assertEqual(self.map(use="pcp")["protocol"], "pcp")

    def test_the_wanted_port(self):
        self.home.start()
        self.assertEqual(self.map(wanted=40022)["external_port"], 40022)
        self.assertTrue(self.home.reaches("net", EXTERNAL, 40022))
        # Another wish later: the old mapping is not left behind.
        self.assertEqual(self.map(wanted=40023)["external_port"], 40023)
        self.assertNotIn("40022", self.home.ruleset())

    def test_a_taken_port_is_left_alone(self):
        for old in ("no", "yes"):
            with self.subTest(igd_1=old):
                self.home.start(old=old)
                theirs = self.home.upnpc("other", "-e", "theirs", "-a", OTHER, "22", "40022", "TCP")
                self.assertEqual(theirs.returncode, 0)
                before = [line for line in self.home.ruleset().splitlines() if OTHER in line]
                self.assertTrue(before)
                result = self.map(wanted=40022)
                self.assertNotIn(result["external_port"], (0, 40022))
                self.assertTrue(self.home.reaches("net", EXTERNAL, result["external_port"]))
                # The renewal asks for the wanted one again, and stays where it is.
                self.assertEqual(self.map(wanted=40022)["external_port"], result["external_port"])
                self.assertEqual([line for line in self.home.ruleset().splitlines() if OTHER in line], before)
                self.assertEqual(self.probe.ask("unmap")["outcome"], "ok")
                self.assertEqual([line for line in self.home.ruleset().splitlines() if OTHER in line], before)
                self.home.stop()
                self.probe = Probe(self.world, f"probe-taken-{old}")

    def test_a_port_taken_by_pcp_gives_another(self):
        self.home.start(pcp="yes")
        self.assertEqual(self.home.upnpc("other", "-a", OTHER, "22", "40022", "TCP").returncode, 0)
        result = self.map(wanted=40022, use="pcp")
        self.assertNotIn(result["external_port"], (0, 40022))
        self.assertTrue(self.home.reaches("net", EXTERNAL, result["external_port"]))

    def test_another_program_of_this_machine_keeps_its_port(self):
        self.home.start()
        self.assertEqual(self.home.upnpc("box", "-a", "192.168.77.2", "22", "40022", "TCP").returncode, 0)
        self.assertNotIn(self.map(wanted=40022)["external_port"], (0, 40022))
        self.assertIn("192.168.77.2:22", self.home.ruleset())

    def test_a_router_that_starts_anew_is_noticed(self):
        for name, options in {"upnp": {}, "pcp": {"upnp": "no", "pcp": "yes"}}.items():
            with self.subTest(name):
                self.probe = Probe(self.world, f"probe-anew-{name}")
                self.home.start(**options)
                self.map()
                if name == "pcp":
                    time.sleep(4)  # a clock that was set back by less could be a rounding
                self.check()
                self.home.stop()
                self.check("no router", deadline=20000)
                self.home.start(**options)
                self.check("lost")
                self.map()
                self.check()
                self.assertTrue(self.reached())
                self.home.stop()

    def test_another_external_address_is_noticed(self):
        for name, options in {"upnp": {}, "pcp": {"upnp": "no", "pcp": "yes"}}.items():
            with self.subTest(name):
                self.probe = Probe(self.world, f"probe-address-{name}")
                self.home.start(**options)
                self.map()
                try:
                    self.external("45.67.1.3")
                    self.check("lost")
                    self.assertEqual(self.map()["external_address"], "45.67.1.3")
                finally:
                    self.external(EXTERNAL)
                    self.home.stop()

    def external(self, address):
        """The router's IPv4 address on the outside, and no other."""
        command("ip -n router -4 addr flush dev wan0")
        command(f"ip -n router addr add {address}/24 dev wan0")

    def test_a_private_external_address_is_told(self):
        """By miniupnpd as a refusal: it does not give the address away."""
        self.addCleanup(self.external, EXTERNAL)
        self.external("100.64.23.2")
        for name, options in {"upnp": {}, "pcp": {"upnp": "no", "pcp": "yes"}}.items():
            with self.subTest(name):
                self.probe = Probe(self.world, f"probe-private-{name}")
                self.home.start(**options)
                self.assertIn("no public address", self.map("refused")["trouble"])
                self.home.stop()

    def test_a_pinhole_by_pcp(self):
        self.home.start(pcp="yes")
        self.pinhole(use="auto")

    def test_a_pinhole_by_upnp(self):
        self.home.start()
        self.assertNotEqual(self.pinhole(use="upnp")["pinhole_id"], 0)

    def pinhole(self, use):
        self.assertFalse(self.home.reaches("net", BOX6, PORT))
        result = self.map(use=use, ipv6=1)
        self.assertEqual(result["pinhole"], BOX6, result)
        self.assertTrue(self.home.reaches("net", BOX6, PORT))
        self.assertEqual(self.map(use=use, ipv6=1)["pinhole_id"], result["pinhole_id"])
        self.assertEqual(self.home.ruleset().count("20010db80077000000000000000000"), 1)
        gone = self.probe.ask("unmap", use=use, ipv6=1)
        self.assertEqual((gone["outcome"], gone["pinhole"]), ("ok", ""))
        wait_for("the pinhole to end", lambda: not self.home.reaches("net", BOX6, PORT), 90)
        return result

    def test_a_pinhole_alone(self):
        self.home.start(pcp="yes")
        result = self.map(ipv6=1, gateway4="")
        self.assertEqual((result["pinhole"], result["external_port"]), (BOX6, 0))
        self.check(ipv6=1, gateway4="")
        self.home.stop()
        self.check("lost", ipv6=1, gateway4="")

    def test_nobody_answers(self):
        began = time.monotonic()
        result = self.map("no router")
        print(f"nobody: {result['took_ms']} ms")
        self.assertEqual(result["external_port"], 0)
        self.assertGreater(time.monotonic() - began, 1)

    def test_a_lease_ends_by_itself(self):
        self.home.start()
        def reached_in_time():
            result = self.map(lease=4)
            self.assertLessEqual(result["lease_s"], 4)
            return self.reached()
        wait_for("the port to be reached before the lease ends", reached_in_time, 60)
        wait_for("the lease to end", lambda: not self.reached(), 60)
        self.check("lost")

    def test_cancelled(self):
        result = self.probe.ask("map", cancel=200, deadline=30000)
        self.assertEqual((result["answers"], result["childless"]), (0, True))
        self.assertLess(result["took_ms"], 10000)


if __name__ == "__main__":
    unittest.main()
