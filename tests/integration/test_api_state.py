"""/api/v1 on the machine's own state: each answer is what web/openapi.json says it is, with everything known at once."""
import pathlib
import re
import time
import unittest

from lib import STRETCH, Person, wait_for
from lib.api import ApiCase
from lib.door import HandMachine

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TYPES = {"INTEGER": "integer", "REAL": "number", "SHARE": "number", "FLAG": "boolean", "BITS": "array",
         "TIME": "string", "TEXT": "string", "PRIVATE": "string"}
SCHEMAS = {"status": "Status", "filesystem": "Filesystem", "disk": "Disk", "sensor": "Sensor", "network": "Network",
           "gpu": "Gpu", "process": "Process"}


def example(schema):
    """A value for each member of a schema of the status, none of them zero."""
    if "enum" in schema:
        return schema["enum"][0]
    return {"integer": 1, "number": 0.5, "boolean": True, "array": [0], "string": "2026-11-20T09:00:00Z"}[schema["type"]]


class State(ApiCase):
    @classmethod
    def begin(cls):
        super().begin()
        cls.box = HandMachine(cls.world, "hand1", cls.relay,
                              forwards=("ssh:22:127.0.0.1:9", "mlflow:5000:127.0.0.1:9"))
        cls.relay.ctl("grant", "bob", "hand1/ssh")
        cls.carol = Person(cls.world, "carol", cls.relay)
        cls.relay.ctl("grant", "carol", "hand1/jupyter")
        cls.admin, _ = cls.token_of(cls.alice)
        cls.member, _ = cls.token_of(cls.bob)

    @classmethod
    def token_of(cls, person):
        done = person.verb("key", "add", "--api", "test")
        return done.stdout.strip(), done.stderr

    def members(self, kind):
        schema = self.document["components"]["schemas"][SCHEMAS[kind]]
        return {name: member for name, member in schema["properties"].items()
                if "$ref" not in member.get("items", {}) and name != "against_claim"}

    def full(self, kind, **more):
        return {name: example(member) for name, member in self.members(kind).items()} | more

    def tell(self, **more):
        status = self.full("status", power_state="awake")
        for kind, plural in (("filesystem", "filesystems"), ("disk", "disks"), ("sensor", "sensors"),
                             ("network", "networks"), ("gpu", "gpus"), ("process", "processes")):
            status[plural] = [self.full(kind)]
        status["disks"] = [self.full("disk", health="passed")]
        status["gpus"] = [self.full("gpu", id="GPU-a", index=0, name="NVIDIA GeForce RTX 4090", used_share=0.9)]
        status["processes"] = [self.full("process", pid=9, gpus=[0], user="bob", person="bob", ended=False)]
        self.box.link.send(kind="status", **(status | more))
        self.box.link.settle()

    def machine(self, who):
        return self.call(who, "GET", "/api/v1/machines/hand1", wanted=200)

    def test_every_member_of_a_status_is_described(self):
        source = (SOURCE / "src/domain/status_members.c").read_text(encoding="utf-8")
        found = re.findall(r"^    ([A-Z]+)\((\w+), (\w+)\),$", source, re.MULTILINE)
        self.assertGreater(len(found), 80)
        for kind in SCHEMAS:
            declared = {name: TYPES[as_] for as_, of, name in found if of == kind}
            self.assertEqual({name: member["type"] for name, member in self.members(kind).items()}, declared, kind)

    def test_a_whole_status_comes_through(self):
        self.tell()
        status = self.machine(self.admin)["status"]
        self.assertEqual({name: status[name] for name in self.members("status")},
                         self.full("status", power_state="awake"))
        for kind, plural in (("filesystem", "filesystems"), ("disk", "disks"), ("sensor", "sensors"),
                             ("network", "networks"), ("gpu", "gpus"), ("process", "processes")):
            wanted = set(self.members(kind)) - {"ended"}
            self.assertEqual(set(status[plural][0]) - {"ended"}, wanted, plural)
        [listed] = [one for one in self.call(self.admin, "GET", "/api/v1/machines", wanted=200) if one["name"] == "hand1"]
        self.assertEqual({"disks", "sensors", "networks"} & set(listed["status"]), set())
        # Who may not log in there sees whose it is, but not what it does.
        carol, _ = self.token_of(self.carol)
        [process] = self.machine(carol)["status"]["processes"]
        self.assertEqual({"command", "container", "notebook"} & set(process), set())
        self.assertEqual(process["user"], "bob")

    def test_claims(self):
        self.tell()
        path = "/api/v1/machines/hand1/claims"
        made = self.call(self.member, "POST", path, {"gpu": 0, "for_s": 3600, "note": "speech run"}, 201)
        self.assertEqual((made["user"], made["note"]), ("bob", "speech run"))
        self.assertEqual(self.machine(self.admin)["claims"], [made])
        self.call(self.admin, "POST", path, {"gpu": 0}, 409)
        # A note is taken away by an empty one.
        self.assertNotIn("note", self.call(self.member, "POST", path, {"gpu": 0, "note": ""}, 201))
        for body in ({}, {"gpu": "0"}, {"gpu": 0, "for_s": 0}, {"gpu": 0, "for_s": 1e9}, {"gpu": 0, "note": "a\nb"}):
            self.call(self.member, "POST", path, body, 400)
        self.call(self.member, "POST", path, {"gpu": 7}, 404)
        self.call(self.member, "DELETE", f"{path}/7", wanted=404)
        self.call(self.admin, "DELETE", f"{path}/0", wanted=204)
        self.assertNotIn("claims", self.machine(self.admin))
        carol, _ = self.token_of(self.carol)
        self.call(carol, "POST", path, {"gpu": 0}, 403)
        # Somebody else's process on a claimed GPU is marked.
        self.call(self.admin, "POST", path, {"gpu": 0}, 201)
        [process] = self.machine(self.admin)["status"]["processes"]
        self.assertIs(process["against_claim"], True)
        self.call(self.admin, "DELETE", f"{path}/0", wanted=204)

    def test_history_and_pay(self):
        self.tell()
        path = "/api/v1/machines/hand1"
        history = self.call(self.member, "GET", f"{path}/history", wanted=200)
        self.assertEqual(history["machine"], "hand1")
        self.assertTrue(all(len(one["values"]) == len(history["times"]) for one in history["series"]))
        text = self.call(self.member, "GET", f"{path}/history?format=csv&step=60", wanted=200)
        self.assertTrue(text.startswith("time"), text[:40])
        for query in ("from=x", "step=x", "format=xml", "from=2026-11-23T10:00:00Z&to=2026-11-22T10:00:00Z"):
            self.call(self.member, "GET", f"{path}/history?{query}", wanted=400)
        self.call(self.member, "GET", "/api/v1/machines/box9/history", wanted=404)
        prices = {"machine_price": 3200, "power_price_per_kwh": 0.3, "since": "2026-01-01", "currency": "EUR"}
        told = self.call(self.admin, "PUT", f"{path}/pay", prices, 200)
        self.assertEqual({name: told[name] for name in prices}, prices)
        self.assertEqual(self.call(self.member, "GET", f"{path}/pay", wanted=200)["currency"], "EUR")
        self.call(self.member, "PUT", f"{path}/pay", prices, 403)
        self.call(self.admin, "PUT", f"{path}/pay", {"machine_price": -1}, 400)
        self.call(self.admin, "PUT", f"{path}/pay", {}, 200)
        self.assertNotIn("machine_price", self.call(self.member, "GET", f"{path}/pay", wanted=200))
        self.call(self.admin, "GET", "/api/v1/machines/box9/pay", wanted=404)
        self.call(self.admin, "PUT", "/api/v1/machines/box9/pay", prices, 404)

    def test_alerts(self):
        self.tell()
        self.call(self.admin, "PUT", "/api/v1/alerts/settings",
                  {"machine": None, "name": "gpu_temperature_celsius", "value": "80"}, 200)
        self.tell(gpus=[self.full("gpu", id="GPU-a", index=0, temperature_celsius=95)])
        wait_for("the alert", lambda: [one for one in self.machine(self.admin).get("alerts", [])
                                       if one["kind"] == "gpu_hot"], 20)
        alerts = self.call(self.member, "GET", "/api/v1/alerts", wanted=200)
        self.assertIn(("hand1", "gpu_hot"), [(one["machine"], one["kind"]) for one in alerts["on"]])
        # The end of a job is over at once.
        self.tell(processes=[self.full("process", pid=9, gpus=[0], user="bob", ended=True)])
        wait_for("the end of the job", lambda: [one for one in self.call(self.admin, "GET", "/api/v1/alerts")["past"]
                                                if one["kind"] == "job_ended"], 20)
        settings = self.call(self.member, "GET", "/api/v1/alerts/settings?machine=hand1", wanted=200)["settings"]
        hot = next(one for one in settings if one["name"] == "gpu_temperature_celsius")
        self.assertEqual((hot["value"], hot["set_for"], hot["unit"]), ("80", "all", "celsius"))
        order = {"machine": "hand1", "name": "offline", "value": "off"}
        self.call(self.member, "PUT", "/api/v1/alerts/settings", order, 403)
        self.call(self.admin, "PUT", "/api/v1/alerts/settings", order, 200)
        self.call(self.admin, "PUT", "/api/v1/alerts/settings", order | {"machine": "box9"}, 404)
        self.call(self.admin, "PUT", "/api/v1/alerts/settings", order | {"value": "perhaps"}, 400)
        self.call(self.admin, "GET", "/api/v1/alerts/settings?machine=box9", wanted=404)

    def test_channels_and_quiet_hours(self):
        path = "/api/v1/alerts/channels"
        self.assertEqual(self.call(self.member, "GET", path, wanted=200), [])
        made = self.call(self.member, "POST", path, {"kind": "webhook", "address": "https://hooks.example/x"}, 201)
        self.assertEqual((made["user"], made["private"]), ("bob", False))
        self.call(self.member, "POST", path, {"kind": "pigeon", "address": "x"}, 400)
        self.call(self.member, "POST", path, {"kind": "ntfy", "address": "https://ntfy.example/x", "private": True}, 403)
        self.call(self.member, "POST", path, {"kind": "mail", "address": "ann@example.org"}, 403)
        self.assertEqual(self.call(self.admin, "GET", path, wanted=200), [made])
        self.assertEqual(self.call(self.member, "POST", f"{path}/{made['id']}/test", wanted=202), {"queued": True})
        # There is no such address: the channel says so in the end, whatever became of it.
        deadline = time.monotonic() + 60 * STRETCH
        while "test_ok" not in (told := self.call(self.member, "GET", path, wanted=200)[0]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertFalse(told["test_ok"])
        self.assertTrue(told["trouble"])
        self.call(self.member, "POST", f"{path}/999/test", wanted=404)
        self.call(self.member, "DELETE", f"{path}/{made['id']}", wanted=204)
        self.call(self.member, "DELETE", f"{path}/{made['id']}", wanted=404)
        hours = {"from": "22:00", "to": "07:00", "offset": "+01:00"}
        self.assertEqual(self.call(self.member, "GET", "/api/v1/alerts/quiet", wanted=200), {})
        self.assertEqual(self.call(self.member, "PUT", "/api/v1/alerts/quiet", hours, 200), hours)
        self.call(self.member, "PUT", "/api/v1/alerts/quiet", {"from": "25:00", "to": "1", "offset": "x"}, 400)
        self.assertEqual(self.call(self.member, "PUT", "/api/v1/alerts/quiet", {}, 200), {})

    def test_found_services_and_waking(self):
        self.box.link.send(kind="services", services=[
            {"name": "ssh", "kind": "ssh", "port": 22, "state": "up"},
            {"name": "ollama", "kind": "http", "port": 11434, "state": "found", "changeable": True},
            {"name": "mlflow", "kind": "http", "port": 5000, "state": "up", "changeable": True},
            {"name": "gradio", "kind": "http", "port": 7860, "state": "found"}])
        wait_for("what was found", lambda: len(self.machine(self.admin)["services"]) == 4, 20)
        path = "/api/v1/machines/hand1/services"
        self.call(self.admin, "POST", f"{path}/ollama", wanted=204)
        said = self.box.link.until("publish")
        self.assertEqual((said["service"], said["port"], said["published"]), ("ollama", 11434, True))
        self.call(self.admin, "POST", f"{path}/gradio", wanted=409)
        self.call(self.admin, "POST", f"{path}/nothing", wanted=404)
        self.call(self.member, "POST", f"{path}/ollama", wanted=403)
        self.call(self.admin, "DELETE", f"{path}/ssh", wanted=409)
        self.call(self.member, "DELETE", f"{path}/ssh", wanted=403)
        self.call(self.admin, "DELETE", f"{path}/mlflow", wanted=204)
        said = self.box.link.until("publish")
        self.assertEqual((said["service"], said["published"]), ("mlflow", False))
        # Woken by another machine in the same network.
        here = [{"mac": "02:00:00:00:00:01", "network": "192.168.7.0/24"}]
        sleeper = HandMachine(self.world, "hand2", self.relay)
        sleeper.link.send(kind="lan", networks=[{"mac": "02:00:00:00:00:02", "network": "192.168.7.0/24"}])
        sleeper.link.send(kind="status", power_state="sleeping", uptime_s=5)
        sleeper.link.settle()
        self.box.link.send(kind="lan", networks=here)
        self.box.link.settle()
        self.call(self.admin, "POST", "/api/v1/machines/hand1/wake", wanted=409)
        sleeper.link.close()
        wait_for("hand2 to sleep", lambda: self.call(self.admin, "GET", "/api/v1/machines/hand2").get("asleep"), 40)
        self.assertEqual(self.call(self.admin, "POST", "/api/v1/machines/hand2/wake", wanted=202), {"through": "hand1"})
        self.assertEqual(self.box.link.until("wake")["mac"], "02:00:00:00:00:02")
        self.call(self.member, "POST", "/api/v1/machines/hand2/wake", wanted=404)
        carol, _ = self.token_of(self.carol)
        self.call(carol, "POST", "/api/v1/machines/hand1/wake", wanted=403)

    def test_zz_nothing_was_forgotten(self):
        self.assertEqual(self.never_answered(True), [], "described, but never asked with success")


if __name__ == "__main__":
    unittest.main()
