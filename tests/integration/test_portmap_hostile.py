"""The port mapper with routers that lie, babble and dawdle, and with a neighbour who plays the router."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from lib import Case, wait_for
from lib.home import BOX, GATEWAY, GATEWAY6, OTHER, OTHER6, Home, Probe, seal

seal()

PORT = 41234
MEMORY_KIB = 80 << 10  # of the child, at most; a sanitized one holds more
QUICK = {"deadline": 6000}


class Hostile(Case):
    @classmethod
    def begin(cls):
        cls.home = Home(cls.world)
        cls.count = 0

    def setUp(self):
        self.running = {}
        self.addCleanup(lambda: [router.kill() for router in self.running.values()])

    def fake(self, namespace="router", **options):
        """A wrong router; one at a time at each place."""
        type(self).count += 1
        if namespace in self.running:
            self.running.pop(namespace).kill()
        router = self.home.fake(self.count, namespace, **options)
        self.running[namespace] = router
        self.probe = Probe(self.world, f"probe-{self.count}")
        return router

    def ask(self, op="map", **options):
        result = self.probe.ask(op, **options)
        self.assertTrue(result["childless"], "the child was not reaped")
        self.assertEqual(result["answers"], 1)
        return result

    def soap(self, router, action=None):
        """What the router was asked, as (action, fields)."""
        calls = [(name, json.loads(fields)) for name, fields in
                 re.findall(r"^soap (\w+) (.*)$", router.text(), re.MULTILINE)]
        return [call for call in calls if action in (None, call[0])]

    def unmapped(self, *outcomes, **options):
        result = self.ask(**options)
        self.assertIn(result["outcome"], outcomes, result)
        self.assertEqual(result["external_port"], 0, result)
        return result

    # -- the fakes themselves are good routers when nothing is wrong --------------------------------------------------

    def test_the_fake_router_works(self):
        for options, protocol in (({}, "upnp"), ({"version": 2}, "upnp"), ({"pcp": "good"}, "pcp"),
                                  ({"natpmp": "good"}, "nat-pmp"), ({"pcp": "silent", "natpmp": "good"}, "nat-pmp")):
            with self.subTest(**options):
                router = self.fake(**options)
                result = self.ask()
                self.assertEqual((result["outcome"], result["protocol"], result["external_port"]),
                                 ("ok", protocol, PORT), result)
                self.assertEqual(self.ask("check")["outcome"], "ok")
                self.assertEqual(self.ask("unmap")["outcome"], "ok")
                self.assertNotIn("subscribe", router.text())

    def test_a_router_that_is_known_is_not_searched(self):
        router = self.fake()
        self.assertEqual(self.ask()["outcome"], "ok")
        searched = router.text().count("ssdp")
        self.assertGreater(searched, 0)
        self.assertEqual(self.ask()["outcome"], "ok")
        self.assertEqual(self.ask("check")["outcome"], "ok")
        self.assertEqual(self.ask("unmap")["outcome"], "ok")
        self.assertEqual(self.ask()["outcome"], "ok")
        self.assertEqual(router.text().count("ssdp"), searched)

    # -- SSDP ---------------------------------------------------------------------------------------------------------

    def test_ssdp_garbage(self):
        router = self.fake(ssdp="garbage")
        self.unmapped("no router")
        self.assertNotIn("get", router.text())

    def test_ssdp_flood(self):
        router = self.fake(ssdp="flood", description="garbage")
        self.unmapped("broken", deadline=15000)
        self.assertLessEqual(router.text().count("get "), 3)

    def test_a_description_elsewhere_is_not_read(self):
        """Neither by the answer, nor by a redirection, nor by what a description says."""
        elsewhere = f"http://{OTHER}:5000/desc.xml"
        for options in ({"location": elsewhere}, {"location": f"http://{GATEWAY}@{OTHER}:5000/"},
                        {"location": f"http://{OTHER}:5000#{GATEWAY}/"},
                        {"location": "http://router.lan:5000/desc.xml"},
                        {"location": "file:///etc/passwd"}, {"location": f"http://{GATEWAY}.{OTHER}:5000/x"},
                        {"description": "redirect", "elsewhere": elsewhere}, {"control": f"http://{OTHER}:5000/ctl"},
                        {"control": f"//{OTHER}:5000/ctl"}, {"base": f"<URLBase>http://{OTHER}:5000/</URLBase>"},
                        {"control": f"@{OTHER}:5000/ctl"}):
            with self.subTest(**options):
                decoy = self.fake("other", lan=OTHER, ssdp="none")
                router = self.fake(**options)
                result = self.ask(**QUICK)
                self.assertEqual(decoy.text().split(), ["ready"], "somebody else was asked")
                if not options.get("control", "").startswith("@"):
                    self.assertNotEqual(result["outcome"], "ok")
                    self.assertEqual(self.soap(router), [])

    def test_a_neighbour_who_answers_first_is_not_heard(self):
        """He answers at once, to the multicast question; the router is slower, or says nothing."""
        neighbour = self.fake("other", lan=OTHER, location=f"http://{OTHER}:5000/desc.xml")
        self.unmapped("no router")
        router = self.fake()
        self.assertEqual(self.ask()["gateway"], GATEWAY)
        self.assertNotIn("get", neighbour.text())
        self.assertIn("get", router.text())

    def test_a_neighbour_who_points_at_the_router_is_not_heard(self):
        self.fake("other", lan=OTHER, location=f"http://{GATEWAY}:5000/desc.xml")
        router = self.fake(ssdp="none")
        self.unmapped("no router")
        self.assertNotIn("get", router.text())

    def test_a_neighbour_is_no_ipv6_router_either(self):
        """Not with his own address, and not with the router's."""
        for host in (OTHER6, GATEWAY6):
            with self.subTest(host):
                neighbour = self.fake("other", lan=OTHER, lan6=OTHER6, location=f"http://[{host}]:5000/desc.xml")
                router = self.fake(ssdp="none", lan6=GATEWAY6, link="lan0", location="")
                self.assertEqual(self.ask(use="upnp", ipv6=1)["pinhole"], "")
                self.assertIn("ssdp6", neighbour.text())
                self.assertNotIn("get", neighbour.text() + router.text())

    def test_an_ipv6_router_is_found_by_upnp(self):
        """The counterpart: it is the station that counts, not the address."""
        router = self.fake(ssdp="good", lan6=GATEWAY6, link="lan0", location=f"http://[{GATEWAY6}]:5000/desc.xml")
        self.ask(use="upnp", ipv6=1)
        self.assertIn("get", router.text())

    # -- descriptions -------------------------------------------------------------------------------------------------

    def watched(self, **options):
        """The result, and how much memory the child took at most."""
        started = subprocess.Popen(self.probe.argv("map", **options), stdout=subprocess.PIPE, text=True)
        most = 0
        while started.poll() is None:
            for child in children(started.pid):
                most = max(most, memory(child))
            time.sleep(0.005)
        return json.loads(started.communicate()[0]), most

    def test_endless_descriptions(self):
        harmless = ("length lies", "huge strings")  # cut short, they still describe a router
        for kind in ("endless", "endless head", "bomb", "deep", "garbage", "slow", "silent", *harmless):
            with self.subTest(kind):
                router = self.fake(description=kind)
                began = time.monotonic()
                result, most = self.watched(**QUICK)
                took = time.monotonic() - began
                print(f"{kind}: {result['outcome']} after {took:.1f} s, {most >> 10} MiB: {result['trouble']}")
                if kind not in harmless:
                    self.assertIn(result["outcome"], ("no router", "broken"))
                self.assertTrue(result["childless"])
                self.assertLess(took, 30)
                if os.environ.get("SALLYPORT_SANITIZED") != "1":
                    self.assertLess(most, MEMORY_KIB)

    def test_ten_thousand_services(self):
        self.fake(services=10000)
        self.assertIn(self.ask()["outcome"], ("ok", "no router", "broken"))

    # -- SOAP ---------------------------------------------------------------------------------------------------------

    def test_soap_nonsense(self):
        def body(action, **fields):
            inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
            return f"<s:Envelope><s:Body><u:{action}Response>{inner}</u:{action}Response></s:Body></s:Envelope>"
        external, entry, anyport = "GetExternalIPAddress", "GetSpecificPortMappingEntry", "AddAnyPortMapping"
        for raw in ({external: body(external, NewExternalIPAddress="1.2.3.4.5")},
                    {external: body(external, NewExternalIPAddress="x" * 100000)},
                    {external: body(external, NewExternalIPAddress="<![CDATA[" + "\x01" * 300)},
                    {external: ""}, {external: "<"}, {external: "<" * 100000},
                    {entry: body(entry, NewInternalClient="y" * 5000, NewInternalPort="9" * 5000)},
                    {entry: body(entry, NewInternalClient=BOX, NewInternalPort=PORT, NewLeaseDuration="-1" * 999)},
                    {entry: body(entry, NewInternalClient=BOX, NewInternalPort="99999999999")},
                    {entry: body(entry, NewInternalClient="%s%n%s", NewInternalPort="%n")},
                    {entry: "\0" * 3000}, {"AddPortMapping": "<u:AddPortMappingResponse"},
                    {"AddPortMapping": body("Nothing", errorCode="718" * 50)},
                    {anyport: body(anyport, NewReservedPort="70000"), "AddPortMapping": body("x", errorCode="718")},
                    {anyport: body(anyport, NewReservedPort="8" * 4000), "AddPortMapping": body("x", errorCode="718")}):
            with self.subTest(raw=str(raw)[:80]):
                router = self.fake(raw=raw, version=2)
                result = self.ask(**QUICK)
                self.assertRegex(result["external_address"], r"^(|\d+\.\d+\.\d+\.\d+)$")
                self.assertTrue(all(" " <= sign <= "~" for sign in result["trouble"]))

    def test_permanent_leases_only(self):
        for option in ("permanent only", "leases unknown"):
            with self.subTest(option):
                router = self.fake(**{option: True})
                result = self.ask()
                self.assertEqual((result["outcome"], result["permanent"], result["lease_s"]), ("ok", True, 0), result)
                # Known from then on: the renewal does not ask for a lease again.
                before = len(self.soap(router, "AddPortMapping"))
                self.assertTrue(self.ask()["permanent"])
                self.assertEqual(len(self.soap(router, "AddPortMapping")), before + 1)
                self.assertEqual(self.ask("unmap")["outcome"], "ok")
                self.assertEqual(len(self.soap(router, "DeletePortMapping")), 1)

    def test_a_taken_port(self):
        for version in (1, 2):
            with self.subTest(version=version):
                router = self.fake(version=version, taken=[PORT, 40022])
                result = self.ask(wanted=40022)
                self.assertEqual(result["outcome"], "ok")
                self.assertNotIn(result["external_port"], (PORT, 40022))

    def test_somebody_elses_mapping_is_never_overwritten(self):
        """Also on a router that would let us."""
        router = self.fake(table={str(PORT): [OTHER, 22, 0]})
        self.assertEqual(self.ask()["outcome"], "ok")
        self.assertNotIn(str(PORT), [fields["NewExternalPort"] for _, fields in self.soap(router, "AddPortMapping")])
        self.assertEqual(self.ask("unmap")["outcome"], "ok")
        self.assertNotIn(str(PORT), [fields["NewExternalPort"] for _, fields in self.soap(router, "DeletePortMapping")])

    def test_a_mapping_that_became_somebody_elses_is_lost(self):
        self.fake()
        self.ask()
        before = self.probe
        router = self.fake(table={str(PORT): [OTHER, 22, 0]})
        self.probe = before
        self.assertEqual(self.ask("check")["outcome"], "lost")
        self.ask("unmap")
        self.assertEqual(self.soap(router, "DeletePortMapping"), [])

    def test_all_ports_taken(self):
        router = self.fake(**{"all taken": True})
        self.assertIn("718", self.unmapped("refused")["trouble"])
        self.assertLess(len(self.soap(router, "AddPortMapping")), 12)

    def test_refusals_are_told(self):
        for number, word in ((606, "settings"), (728, "room"), (501, "501"), (402, "402"), (716, "716")):
            with self.subTest(number):
                router = self.fake(errors={"AddPortMapping": number})
                self.assertIn(word, self.unmapped("refused")["trouble"])
                self.assertLess(len(self.soap(router)), 40)

    def test_the_same_ports_only(self):
        self.fake(**{"same ports": True})
        self.assertEqual(self.ask(wanted=40022)["external_port"], PORT)

    def test_yes_without_effect(self):
        self.fake(forgetful=True)
        result = self.ask()
        self.assertEqual(result["outcome"], "ok")
        self.assertIn("no such mapping", result["trouble"])
        self.assertEqual(self.ask("check")["outcome"], "lost")

    def test_a_router_that_cannot_be_asked_for_entries(self):
        self.fake(errors={"GetSpecificPortMappingEntry": 401})
        self.assertEqual(self.ask()["outcome"], "ok")
        self.assertEqual(self.ask("check")["outcome"], "ok")

    def test_private_external_addresses(self):
        for address in ("100.64.23.2", "10.0.0.7"):
            for options in ({}, {"pcp": "good"}, {"natpmp": "good"}):
                with self.subTest(address=address, **options):
                    router = self.fake(external=address, **options)
                    result = self.ask()
                    self.assertEqual((result["outcome"], result["external_address"]), ("ok", address))
        self.fake(external="100.64.23.2", errors={"AddPortMapping": 501})
        self.assertIn("its own address is 100.64.23.2", self.unmapped("refused")["trouble"])
        self.fake(external="0.0.0.0")
        self.assertIn("address", self.ask()["trouble"])

    # -- PCP and NAT-PMP ----------------------------------------------------------------------------------------------

    def test_pcp_answers_that_are_none(self):
        for kind in ("nonce", "short", "long", "odd", "opcode", "question", "another port", "no port", "no address",
                     "six", "no lease", "version", "noise"):
            with self.subTest(kind):
                router = self.fake(pcp=kind, ssdp="none")
                self.unmapped("no router", "broken", "refused", use="pcp")

    def test_pcp_hears_the_right_answer_behind_a_wrong_one(self):
        self.fake(pcp="nonce then good")
        self.assertEqual(self.ask(use="pcp")["protocol"], "pcp")

    def test_pcp_gives_another_port(self):
        self.fake(pcp="good", port=50000)
        self.assertEqual(self.ask(wanted=40022)["external_port"], 50000)

    def test_pcp_for_ever_is_a_week(self):
        self.fake(pcp="for ever")
        self.assertEqual(self.ask()["lease_s"], 7 * 24 * 3600)

    def test_pcp_refused(self):
        for number in (2, 4, 8, 12, 200):
            with self.subTest(number):
                router = self.fake(pcp="refused", result=number, ssdp="none")
                self.assertIn("PCP", self.unmapped("refused")["trouble"])

    def test_what_pcp_refuses_upnp_may_give(self):
        self.fake(pcp="refused")
        self.assertEqual(self.ask()["protocol"], "upnp")

    def test_natpmp_answers_that_are_none(self):
        for kind in ("another port", "short", "opcode", "noise"):
            with self.subTest(kind):
                router = self.fake(natpmp=kind, ssdp="none")
                self.unmapped("no router", "broken", "refused")

    def test_natpmp_refused(self):
        for number in (2, 3, 4):
            with self.subTest(number):
                router = self.fake(natpmp="refused", result=number, ssdp="none")
                self.assertIn("NAT-PMP", self.unmapped("refused")["trouble"])

    def test_natpmp_gives_another_port(self):
        self.fake(natpmp="good", port=50000)
        self.assertEqual(self.ask(wanted=40022)["external_port"], 50000)

    def test_a_clock_that_was_set_back(self):
        for options in ({"pcp": "good"}, {"natpmp": "good"}):
            with self.subTest(**options):
                self.fake(epoch=100000, **options)
                self.assertEqual(self.ask()["outcome"], "ok")
                before = self.probe
                self.fake(epoch=5, **options)
                self.probe = before
                self.assertEqual(self.ask("check")["outcome"], "lost")

    # -- the child ----------------------------------------------------------------------------------------------------

    def waiting(self):
        """A request that waits for a router that never comes to an end: the process, and the child's number."""
        self.fake(description="slow")
        # A descriptor that its parent has, and that is not closed by exec.
        with open("/etc/passwd", "rb") as leak:
            started = subprocess.Popen(self.probe.argv("map", deadline=300000), stdout=subprocess.PIPE, text=True,
                                       pass_fds=[leak.fileno()])
        self.addCleanup(started.communicate)
        self.addCleanup(started.kill)
        child = wait_for("the child", lambda: children(started.pid))[0]
        wait_for("its sandbox", lambda: "Seccomp:\t2" in proc(child, "status"))
        return started, child

    def test_the_sandbox(self):
        _started, child = self.waiting()
        status = dict(line.split(":\t", 1) for line in proc(child, "status").splitlines() if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"], "1")
        # In a user namespace with one user there is nobody else to become.
        if pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii").split()[2] != "1":
            self.assertEqual(status["Uid"].split(), ["65534"] * 4)
            self.assertEqual(status["Gid"].split(), ["65534"] * 4)
            self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual({status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}, {"0" * 16})
        self.assertEqual(pathlib.Path(f"/proc/{child}/environ").read_bytes(), b"")
        self.assertNotEqual(os.readlink(f"/proc/{child}/root"), "/")
        # Nothing of its parent's but the two ends of the pair (one socket), and a standard error that leads nowhere.
        links = {int(name): os.readlink(f"/proc/{child}/fd/{name}") for name in os.listdir(f"/proc/{child}/fd")}
        self.assertEqual(links[0], links[1])
        self.assertEqual(links[2], "/dev/null")
        others = [link for number, link in links.items() if number > 2]
        self.assertTrue(all(link.startswith("socket:") for link in others), links)
        self.assertLess(len(others), 8)
        limits = proc(child, "limits")
        for limit in ("Max file size +0 +0", "Max processes +0 +0", "Max core file size +0 +0", "Max cpu time +10 +10"):
            self.assertRegex(limits, limit)

    def test_a_child_that_crashes(self):
        for number in (signal.SIGSEGV, signal.SIGKILL):
            started, child = self.waiting()
            os.kill(int(child), number)
            result = json.loads(started.stdout.readline())
            self.assertEqual((result["outcome"], result["childless"], result["answers"]), ("broken", True, 1))
            self.assertIn("fail", result["trouble"])

    def test_the_parent_gone_takes_the_child_along(self):
        started, child = self.waiting()
        probe = next(pid for pid in [str(started.pid), *children(started.pid)] if pid != child)
        os.kill(int(probe), signal.SIGKILL)
        wait_for("the child to end", lambda: not alive(child))

    def test_memory_of_another_router_is_not_used(self):
        """At another place the same address may be another router's: but what was mapped there is asked for anew."""
        self.fake()
        first = self.ask()
        self.assertEqual(first["gateway"], GATEWAY)
        other = self.fake("other", lan=OTHER)
        self.probe = Probe(self.world, f"probe-{self.count - 1}")
        result = self.ask("check", gateway4=OTHER)
        self.assertEqual((result["outcome"], result["external_port"]), ("lost", 0))
        self.assertNotIn("get", other.text())


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="ascii")


def alive(pid):
    try:
        return proc(pid, "stat").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    try:
        return proc(pid, f"task/{pid}/children").split()
    except OSError:
        return []


def memory(pid):
    """Resident KiB."""
    try:
        found = re.search(r"^VmRSS:\s+(\d+)", proc(pid, "status"), re.MULTILINE)
        return int(found.group(1)) if found else 0
    except OSError:
        return 0


if __name__ == "__main__":
    unittest.main()
