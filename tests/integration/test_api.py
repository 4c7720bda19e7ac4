"""/api/v1 and /metrics: what web/openapi.json says is what the relay answers, and for whom."""
import json
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from lib import STRETCH, Person
from lib.api import CSRF, ApiCase
from lib.door import HandMachine
from lib.schema import check_schema, resolve
from lib.web import Visitor

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGES = {"/", "/alerts", "/machines/{name}", "/login/{code}", "/assets/{file}", "/open/{machine}/{service}"}


class Api(ApiCase):
    def test_the_description_is_whole(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        for name, schema in self.document["components"]["schemas"].items():
            self.assertEqual(list(check_schema(self.document, schema, name)), [])
        seen = set()
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                self.assertNotIn(operation["operationId"], seen)
                seen.add(operation["operationId"])
                self.assertEqual(re.findall(r"{(\w+)}", path),
                                 [resolve(self.document, p)["name"] for p in operation.get("parameters", [])
                                  if resolve(self.document, p)["in"] == "path"])
                for status, response in operation["responses"].items():
                    for content in resolve(self.document, response).get("content", {}).values():
                        where = f"{method} {path} {status}"
                        self.assertEqual(list(check_schema(self.document, content["schema"], where)), [])

    def test_every_route_is_described_and_every_description_is_a_route(self):
        source = (SOURCE / "src/relay/web_routes.c").read_text(encoding="utf-8")
        routes = set(re.findall(r'^    {"([A-Z]+)", "(/[^"]*)", FOR_', source, re.MULTILINE))
        self.assertTrue(routes)
        described = {(method.upper(), path) for path, operations in self.document["paths"].items()
                     for method in operations}
        self.assertEqual({(method, path) for method, path in routes if path not in PAGES}, described)

    def test_every_operation_answers_as_described(self):
        alice, bob = self.log_in(self.alice), self.log_in(self.bob)
        token, _ = self.token(self.alice)
        for who in (alice, token):
            me = self.call(who, "GET", "/api/v1/me", wanted=200)
            self.assertEqual((me["name"], me["role"], me["relay_port"]), ("alice", "admin", self.relay.port))
            self.assertEqual(me["services_suffix"], f".localhost:{self.relay.port}")
            self.assertEqual("csrf_token" in me, who is alice)
            [machine] = self.call(who, "GET", "/api/v1/machines", wanted=200)
            self.assertEqual(self.call(who, "GET", "/api/v1/machines/box1", wanted=200)["name"], "box1")
            self.assertTrue(machine["online"])
            self.call(who, "GET", "/api/v1/machines/box9", wanted=404)
            self.call(who, "GET", "/api/v1/machines/", wanted=404)
            made = self.call(who, "POST", "/api/v1/invites", {"kind": "machine", "name": "box2", "for": "2h"}, 201)
            self.assertRegex(made["line"], r"^sallyport-agent join 'sallyport://localhost:\d+/\S{43}#SHA256:\S{43}'$")
            self.assertIn(made["url"], made["line"])
            self.assertFalse(made["replaces"])
            self.assertIn(made["id"], [invite["id"] for invite in self.call(who, "GET", "/api/v1/invites", wanted=200)])
            self.call(who, "DELETE", f"/api/v1/invites/{made['id']}", wanted=204)
            self.call(who, "DELETE", f"/api/v1/invites/{made['id']}", wanted=404)
            self.call(who, "POST", "/api/v1/invites", {"kind": "machine", "name": "bob"}, 409)
            sessions = self.call(who, "GET", "/api/v1/sessions", wanted=200)
            self.assertEqual([session["current"] for session in sessions].count(True), int(who is alice))
        self.call(token, "POST", "/api/v1/logout", wanted=400)
        self.call(bob, "GET", "/api/v1/invites", wanted=403)
        self.call(bob, "POST", "/api/v1/invites", {"kind": "machine", "name": "box2"}, wanted=403)
        self.call(bob, "DELETE", "/api/v1/invites/1", wanted=403)
        self.call(bob, "GET", "/metrics", wanted=403)
        self.assertIn("sallyport_build_info", self.call(token, "GET", "/metrics", wanted=200))
        self.call(None, "GET", "/healthz", wanted=200)
        for method, path in (("DELETE", f"/api/v1/sessions/{sessions[0]['id']}"), ("POST", "/api/v1/logout"),
                             ("POST", "/api/v1/logout-everywhere")):
            self.call(alice, method, path, fields=[], wanted=403)
        self.call(alice, "DELETE", "/api/v1/sessions/999999", wanted=404)
        other = self.log_in(self.alice)
        mine = next(s["id"] for s in self.call(other, "GET", "/api/v1/sessions") if s["current"])
        self.call(bob, "DELETE", f"/api/v1/sessions/{mine}", wanted=404)
        self.call(alice, "DELETE", f"/api/v1/sessions/{mine}", wanted=204)
        self.call(other, "GET", "/api/v1/me", wanted=401)
        self.call(bob, "POST", "/api/v1/logout", wanted=204)
        self.call(alice, "POST", "/api/v1/logout-everywhere", wanted=204)
        self.call(alice, "GET", "/api/v1/me", fields=[], wanted=401)
        self.nobody_is_refused_everywhere()
        self.listen(token)
        self.assertEqual(self.never_answered(False), [], "described, but never asked with success")

    def nobody_is_refused_everywhere(self):
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                if operation.get("security") != []:
                    self.call(None, method.upper(), path.replace("{name}", "box1").replace("{service}", "ssh")
                              .replace("{id}", "1").replace("{gpu}", "1"), wanted=401)

    def listen(self, token):
        visitor = Visitor(self.relay)
        with visitor.wire() as wire:
            wire.send(visitor.request("/api/v1/events", fields=[("Authorization", f"Bearer {token}")]))
            head = wire.head()
            self.assertEqual(head.get("Content-Type").split(";")[0], "text/event-stream")
            self.answered.add(("GET", "/api/v1/events", head.status))
            self.assertEqual(head.status, 200)

    def test_a_member_sees_his_part(self):
        bob = self.log_in(self.bob)
        machine = self.call(bob, "GET", "/api/v1/machines/box1", wanted=200)
        self.assertEqual([service["name"] for service in machine["services"]], ["ssh"])
        self.relay.ctl("revoke", "bob", "box1/ssh")
        try:
            self.call(bob, "GET", "/api/v1/machines/box1", wanted=404)
        finally:
            self.relay.ctl("grant", "bob", "box1/ssh")

    def test_ways_and_host_keys_are_for_those_who_may_use_ssh(self):
        bob = self.log_in(self.bob)
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuCkShA17D3LHaCwrgrcXqwImz7+w52uKBNld749+do"
        ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7250))
        box = HandMachine(self.world, "hand1", self.relay, host_keys=[key], time=ahead)
        self.addCleanup(self.relay.ctl, "machine", "remove", "hand1")
        box.reach(candidates=[{"kind": "mapped", "address": "100.64.23.2", "port": 40022, "by": "upnp"},
                              {"kind": "lan", "address": "192.168.1.20", "port": 41234},
                              {"kind": "ipv6", "address": "fd00::20", "port": 41234, "to": "sshd"}])
        self.relay.ctl("grant", "bob", "hand1/ssh")
        machine = self.call(bob, "GET", "/api/v1/machines/hand1", wanted=200)
        self.assertEqual(machine["ssh_host_keys"], [key])
        self.assertLess(abs(machine["clock_offset_s"] - 7250), 60)
        # None of these is a public address: the relay says so without asking there.
        reach = machine["reach"]
        self.assertEqual((machine["route"], reach["direct"], reach["fetch"]), ("relayed", False, True))
        self.assertEqual([(way["kind"], way["to"], way["state"]) for way in reach["candidates"]],
                         [("mapped", "door", "failed"), ("lan", "door", "unchecked"), ("ipv6", "sshd", "failed")])
        self.assertIn("100.64.23.2", reach["reason"])
        said = self.bob.verb("status", "hand1").stdout
        self.assertIn(f"\n  Direct way: none: {reach['reason']}. Streams go through the relay.\n", said)
        self.assertRegex(said, r"\n  clock +wrong: 2 h ahead of the relay's\n")
        self.assertRegex(said, r"\n  192\.168\.1\.20 +41234 +own network +- +- +-\n")
        [listed] = [one for one in json.loads(self.bob.verb("list", "--json").stdout) if one["name"] == "hand1"]
        self.assertEqual(listed["reach"], reach)
        # Whoever may use another service of it sees the machine, but not where it lives.
        self.relay.ctl("grant", "bob", "hand1/jupyter")
        self.relay.ctl("revoke", "bob", "hand1/ssh")
        machine = self.call(bob, "GET", "/api/v1/machines/hand1", wanted=200)
        self.assertEqual({"reach", "ssh_host_keys"} & set(machine), set())
        for address in ("100.64.23.2", "192.168.1.20", "fd00::20"):
            self.assertNotIn(address, json.dumps(machine) + self.bob.verb("status", "hand1").stdout)

    def test_the_agent_says_its_ways(self):
        token, _ = self.token(self.bob)
        deadline = time.monotonic() + 20.0 * STRETCH
        while "reach" not in (machine := self.call(token, "GET", "/api/v1/machines/box1", wanted=200)):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        # Nothing can be proved on loopback: the relay connects to public addresses only.
        self.assertEqual((machine["route"], machine["reach"]["direct"]), ("relayed", False))
        self.assertTrue(machine["reach"]["fetch"])
        self.assertTrue(machine["reach"]["reason"])
        self.assertLess(abs(machine["clock_offset_s"]), 60)

    def test_invites_that_make_no_sense(self):
        token, _ = self.token(self.alice)
        for body in ({}, {"kind": "machine"}, {"kind": "box", "name": "box2"}, {"kind": "machine", "name": "NO"},
                     {"kind": "machine", "name": "box2", "for": "never"}, {"kind": "machine", "name": "box2", "for": 5},
                     {"kind": "machine", "name": "box2", "for": "1s"}, {"kind": "machine", "name": "box2", "fro": "1h"},
                     {"kind": "user", "name": "alice", "admin": True}, {"kind": "user", "name": "x" * 100},
                     {"kind": "user", "name": "carol", "admin": 1}, {"kind": "user", "name": ["carol"]}):
            self.call(token, "POST", "/api/v1/invites", body, wanted=400)
        fields = [("Authorization", f"Bearer {token}")]
        for body in (b"", b"[]", b"{", b'{"kind":"user","kind":"user","name":"carol"}', b"\xff", b"[" * 60000,
                     b'{"kind":"user","name":"ca\\u0000rol"}'):
            answer = Visitor(self.relay).ask("/api/v1/invites", method="POST", fields=fields, body=body)
            self.judge("POST", "/api/v1/invites", answer)
            self.assertEqual(answer.status, 400)
        self.assertEqual(self.call(token, "GET", "/api/v1/invites"), [])
        made = self.call(token, "POST", "/api/v1/invites", {"kind": "machine", "name": "box1"}, wanted=201)
        self.assertTrue(made["replaces"])
        made = self.call(token, "POST", "/api/v1/invites", {"kind": "user", "name": "carol", "admin": True}, 201)
        self.assertEqual(made["role"], "admin")
        listed = json.loads(self.alice.verb("invite", "list", "--json").stdout)
        self.assertEqual(self.call(token, "GET", "/api/v1/invites"), listed)
        for invite in listed:
            self.relay.ctl("invite", "remove", str(invite["id"]))

    def test_an_invite_of_the_api_lets_a_machine_in(self):
        token, _ = self.token(self.alice)
        made = self.call(token, "POST", "/api/v1/invites", {"kind": "machine", "name": "box3"}, wanted=201)
        key = self.world.key("box3")
        line = made["url"].split("/")[3].split("#")[0] + "\n"
        joined = Person(self.world, "join", self.relay, known=False).ssh("-i", key, "relay", "join", input=line)
        self.assertEqual(json.loads(joined.stdout), {"joined": "machine", "name": "box3"}, joined.stderr)
        self.relay.ctl("machine", "remove", "box3")

    def test_errors_are_json(self):
        token, _ = self.token(self.alice)
        visitor, fields = Visitor(self.relay), [("Authorization", f"Bearer {token}")]
        for method, path, body, status in (("GET", "/api/v1/none", b"", 404), ("GET", "/api/", b"", 404),
                                           ("PUT", "/api/v1/machines", b"", 405), ("GET", "/api/v1/logout", b"", 405),
                                           ("POST", "/api/v1/events", b"", 405), ("POST", "/metrics", b"", 405),
                                           ("POST", "/api/v1/invites", b"x" * 65537, 413),
                                           ("GET", "/api/v1/" + "x" * 1100, b"", 414)):
            answer = visitor.ask(path, method=method, fields=fields, body=body)
            self.assertEqual(answer.status, status, (method, path[:40]))
            self.assertEqual(answer.get("Content-Type"), "application/json", (method, path[:40]))
            self.assertEqual(list(json.loads(answer.text)), ["error"])
        self.assertEqual(visitor.ask("/api/v1/invites", method="PUT", fields=fields).get("Allow"), "GET, HEAD, POST")
        self.assertEqual(visitor.ask("/api/v1/me", fields=[("Authorization", "Basic eA==")]).get("WWW-Authenticate"),
                         'Bearer realm="sallyport"')

    def test_changes_by_cookie_come_from_our_page_only(self):
        alice = self.log_in(self.alice)
        other = self.log_in(self.alice)
        body = {"kind": "machine", "name": "box4"}
        good = [(CSRF, alice.csrf)]
        for fields, origin in (([], "own"), ([(CSRF, other.csrf)], "own"), ([(CSRF, alice.csrf[:-1])], "own"),
                               ([(CSRF, "")], "own"), (good, None), (good, "null"), (good, "https://evil.example"),
                               (good, alice.origin("box1--x")), (good, alice.origin().replace("https", "http")),
                               ([*good, ("Sec-Fetch-Site", "same-site")], "own"),
                               ([*good, ("Sec-Fetch-Site", "cross-site")], "own")):
            self.call(alice, "POST", "/api/v1/invites", body, wanted=403, fields=fields, origin=origin)
        self.call(alice, "POST", "/api/v1/invites", body, wanted=201, fields=[*good, ("Sec-Fetch-Site", "same-origin")])
        [made] = self.call(alice, "GET", "/api/v1/invites")
        self.call(alice, "DELETE", f"/api/v1/invites/{made['id']}", wanted=204)

    def test_without_tls_the_origin_is_that_of_plain_http(self):
        alice = self.log_in(self.alice, tls=False)
        self.assertTrue(alice.origin().startswith("http://localhost:"))
        self.call(alice, "POST", "/api/v1/logout", wanted=403, origin=alice.origin().replace("http", "https"))
        self.call(alice, "POST", "/api/v1/logout", wanted=204)

    def test_a_removed_token_ends_at_once(self):
        token, fingerprint = self.token(self.bob, "cron")
        listed = [key for key in json.loads(self.bob.verb("key", "list", "--json").stdout) if key["type"] == "api"]
        self.assertIn((fingerprint, "cron"), [(key["fingerprint"], key["label"]) for key in listed])
        self.call(token, "GET", "/api/v1/me", wanted=200)
        visitor = Visitor(self.relay)
        with visitor.wire() as wire:
            wire.send(visitor.request("/api/v1/events", fields=[("Authorization", f"Bearer {token}")]))
            self.assertEqual(wire.head().status, 200)
            self.assertEqual(self.bob.verb("key", "remove", fingerprint).returncode, 0)
            began = time.monotonic()
            self.assertIn(b"event: bye", wire.rest())
            self.assertLess(time.monotonic() - began, 10)  # the next look for ended rights is 15 s away
        self.call(token, "GET", "/api/v1/me", wanted=401)

    def test_a_lost_laptop_is_logged_out_by_ssh(self):
        bob = self.log_in(self.bob)
        [session] = json.loads(self.bob.verb("session", "list", "--json").stdout)
        self.assertEqual(session, {key: value for key, value in self.call(bob, "GET", "/api/v1/sessions")[0].items()
                                   if key != "current"})
        with bob.wire() as wire:
            wire.send(bob.request("/api/v1/events"))
            self.assertEqual(wire.head().status, 200)
            self.assertEqual(self.bob.verb("session", "remove", str(session["id"])).returncode, 0)
            began = time.monotonic()
            self.assertIn(b"event: bye", wire.rest())
            self.assertLess(time.monotonic() - began, 10)  # the next look for ended rights is 15 s away
        self.call(bob, "GET", "/api/v1/me", wanted=401)
        bob, again = self.log_in(self.bob), self.log_in(self.bob)
        self.relay.ctl("session", "remove", "--all", "bob")
        for who in (bob, again):
            self.call(who, "GET", "/api/v1/me", wanted=401)

    def samples(self, token):
        text = self.call(token, "GET", "/metrics", wanted=200)
        return text, {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                      if not line.startswith("#")}

    def test_dashboard(self):
        """What the Grafana dashboard asks for is there."""
        token, _ = self.token(self.alice)
        told = set(re.findall(r"^# HELP (\S+)", self.samples(token)[0], re.MULTILINE))
        asked = set(re.findall(r"sallyport_\w+", (SOURCE / "config/grafana/sallyport.json").read_text("utf-8")))
        self.assertGreater(len(asked), 10)
        self.assertEqual(asked - told, set())

    def test_metrics(self):
        token, _ = self.token(self.alice)
        text, before = self.samples(token)
        promtool = shutil.which("promtool")
        self.assertTrue(promtool, "promtool is not installed: run scripts/deps test")
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))
        self.assertEqual(before['sallyport_machine_up{machine="box1"}'], 1)
        self.assertEqual(before['sallyport_machine_service_up{machine="box1",service="ssh",kind="ssh"}'], 1)
        self.assertGreater(before['sallyport_machine_memory_size_bytes{machine="box1"}'], 1e6)
        self.assertTrue(any(name.startswith('sallyport_machine_filesystem_size_bytes{machine="box1",mount="/')
                            for name in before))
        self.assertGreater(before["sallyport_certificate_expiry_timestamp_seconds"], time.time() + 300 * 86400)
        self.assertGreater(before["process_resident_memory_bytes"], 1e6)
        self.assertGreater(before["process_open_fds"], 5)
        self.assertLess(abs(before["process_start_time_seconds"] - time.time()), 600 * STRETCH)
        self.assertEqual(self.alice.ssh("-J", "relay", "box1", "echo in").stdout, "in\n")
        self.alice.ssh("-l", "bob", "relay", "whoami")
        self.alice.ssh("-J", "relay", "-p", "4", "box1", "echo in")
        self.call(token, "GET", "/api/v1/machines/box9", wanted=404)
        _, after = self.samples(token)
        for name, least in (('sallyport_ssh_logins_total{result="accepted"}', 2),
                            ('sallyport_ssh_logins_total{result="refused"}', 1),
                            ('sallyport_streams_total{result="opened"}', 1),
                            ('sallyport_streams_total{result="refused"}', 1),
                            ('sallyport_stream_bytes_total{direction="to_machines"}', 1000),
                            ('sallyport_stream_bytes_total{direction="from_machines"}', 1000),
                            ('sallyport_web_requests_total{host="relay",class="2xx"}', 1),
                            ('sallyport_web_requests_total{host="relay",class="4xx"}', 1),
                            ("process_cpu_seconds_total", 0.0001)):
            self.assertGreaterEqual(after[name] - before[name], least, name)

    def test_metrics_of_a_machine_that_is_gone(self):
        token, _ = self.token(self.alice)
        self.relay.ctl("machine", "add", "gone1", self.world.public(self.world.key("gone1")))
        _, samples = self.samples(token)
        self.assertEqual(samples['sallyport_machine_up{machine="gone1"}'], 0)
        self.assertEqual([name for name in samples if 'machine="gone1"' in name],
                         ['sallyport_machine_up{machine="gone1"}'])
        self.assertEqual(samples["sallyport_machines_known"], samples["sallyport_machines_online"] + 1)
        self.relay.ctl("machine", "remove", "gone1")


if __name__ == "__main__":
    unittest.main()
