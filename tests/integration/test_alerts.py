"""Alerts from the status of a machine to the message: once on, once over, never twice, and never to where it must not."""
import base64
import email
import json
import socket
import time

from lib import Case, Person, Relay, wait_for
from lib.door import HandMachine
from lib.hook import Hook, Mail
from lib.web import Visitor


def gpu(index=0, **more):
    return {"id": f"GPU-{index}", "index": index, "state": "ok"} | more


class Alerts(Case):
    @classmethod
    def begin(cls):
        cls.mail = Mail(cls.world)
        config = cls.world.path("relay.ini")
        config.write_text(f"smtp_url = smtp://127.0.0.1:{cls.mail.port}\nmail_from = relay@example.org\n",
                          encoding="utf-8")
        cls.relay = Relay(cls.world, extra=["--config", config])
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.hook = Hook(cls.world)
        cls.names = iter(f"box{i}" for i in range(1, 100))

    def setUp(self):
        self.hook.got.clear()
        self.hook.status = 200
        self.box = self.machine()

    def tearDown(self):
        for channel in self.channels():
            self.relay.ctl("alerts", "remove", str(channel["id"]))
        self.box.link.close()
        self.relay.ctl("machine", "remove", self.box.name)

    def machine(self, name=None):
        return HandMachine(self.world, name or next(self.names), self.relay)

    def tell(self, box=None, **status):
        box = box or self.box
        box.link.send(kind="status", **status)
        box.link.settle()

    def channels(self):
        return json.loads(self.relay.ctl("alerts", "channels", "--json"))

    def channel(self, number):
        return next(one for one in self.channels() if one["id"] == number)

    def add(self, *words, person=None):
        done = (person or self.alice).verb("alerts", "add", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout)

    def add_hook(self, path="hook", kind="webhook", user="alice"):
        return self.add(kind, self.hook.url(path), "--private", "--user", user)

    def refused(self, person, *words, said):
        done = person.verb(*words)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(said, done.stderr)

    def messages(self, state=None, kind=None):
        found = [json.loads(body) for path, _, body in self.hook.got if path == "/hook"]
        return [one for one in found if state in (None, one["state"]) and kind in (None, one["kind"])]

    def settle(self):
        """Nothing more is under way: a test message, sent after all others, has arrived."""
        wait_for("the messages to be sent", lambda: all(one["waiting"] == 0 for one in self.channels()))

    def on(self, name=None):
        return self.relay.machine(name or self.box.name).get("alerts", [])

    def test_once_and_no_more(self):
        number = self.add_hook()
        self.tell(gpus=[gpu(temperature_celsius=91.4)])
        [message] = wait_for("a message", self.messages)
        self.assertEqual({**message, "since": None}, {
            "kind": "gpu_hot", "machine": self.box.name, "object": "gpu0", "state": "on", "since": None,
            "text": "GPU 0 is at 91 degrees Celsius (limit 87)",
            "url": f"https://localhost:{self.relay.port}/machines/{self.box.name}"})
        [alert] = self.on()
        self.assertEqual((alert["kind"], alert["object"], alert["since"]), ("gpu_hot", "gpu0", message["since"]))
        for degrees in (92, 86, 93):  # a little less is no end
            self.tell(gpus=[gpu(temperature_celsius=degrees)])
        self.relay.restart()
        self.assertEqual(self.on()[0]["since"], alert["since"])
        self.box = self.machine(self.box.name)
        self.tell(gpus=[gpu(temperature_celsius=95)])
        self.relay.ctl("alerts", "test", str(number))
        wait_for("the test to arrive", lambda: self.messages("test"))
        self.assertEqual(len(self.messages("on")), 1)
        self.assertIn("GPU 0 is at 95 degrees", self.on()[0]["text"])
        # Who does not want to know of it is not told that it is over.
        self.relay.ctl("alerts", "set", self.box.name, "gpu_hot", "off")
        self.tell(gpus=[gpu(temperature_celsius=95)])
        self.assertEqual(self.on(), [])
        self.assertEqual(self.messages("resolved"), [])
        [past] = json.loads(self.relay.ctl("alerts", "list", self.box.name, "--json"))["past"]
        self.assertEqual((past["kind"], past["machine"]), ("gpu_hot", self.box.name))

    def test_offline_and_back(self):
        self.add_hook()
        sleeper = self.machine()
        for box in (self.box, sleeper):
            self.relay.ctl("alerts", "set", box.name, "offline_after_s", "10")
        self.tell(sleeper, power_state="sleeping")
        sleeper.link.close()
        self.relay.wait_offline(sleeper.name)
        self.box.link.close()
        self.relay.wait_offline(self.box.name)
        [message] = wait_for("offline to be told", lambda: self.messages("on", "offline"), 40)
        self.assertEqual(message["machine"], self.box.name)  # and not of the one that sleeps
        self.assertRegex(message["text"], r"\Aoffline since 20\d\d-\d\d-\d\dT")
        self.relay.restart()
        self.assertEqual([one["kind"] for one in self.on()], ["offline"])
        self.box = self.machine(self.box.name)
        [message] = wait_for("its end to be told", lambda: self.messages("resolved"))
        self.assertEqual((message["kind"], message["text"]), ("offline", "back online"))
        self.settle()
        self.assertEqual(len(self.messages()), 2)
        self.relay.ctl("machine", "remove", sleeper.name)

    def test_who_is_told(self):
        self.relay.ctl("grant", "bob", self.box.name + "/jupyter")
        self.add_hook(user="bob")
        self.add_hook("alice")
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5 * 86400 - 60))
        self.tell(processes=[{"pid": 1, "gpus": [0], "user": "bob", "started": began, "ended": True, "command": "secret"},
                             {"pid": 2, "gpus": [0], "user": "bob", "ended": True, "started": time.strftime(
                                 "%Y-%m-%dT%H:%M:%SZ", time.gmtime())}])
        [message] = wait_for("the owner to be told", self.messages)
        self.assertEqual((message["kind"], message["text"]),
                         ("job_ended", "a job of bob on GPU 0 has ended after 5 d (process 1)"))
        self.tell(disks=[{"name": "sda", "health": "failing"}])
        wait_for("both to be told", lambda: len(self.hook.got) == 3)
        self.settle()
        self.assertEqual(sorted(path for path, _, _ in self.hook.got), ["/alice", "/hook", "/hook"])
        self.relay.ctl("revoke", "bob", self.box.name)
        self.tell(disks=[{"name": "sda", "health": "failing"}, {"name": "sdb", "health": "failing"}])
        wait_for("who may see it to be told", lambda: len(self.hook.got) == 4)
        self.settle()
        self.assertEqual(self.hook.got[-1][0], "/alice")

    def test_private_addresses(self):
        self.refused(self.bob, "alerts", "add", "webhook", self.hook.url(), "--private", said="only admins")
        self.refused(self.bob, "alerts", "add", "webhook", self.hook.url(), said="https://")
        for host in ("127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:192.168.1.1]", "169.254.169.254", "[fe80::1]",
                     "[64:ff9b::7f00:1]", "[::]"):
            self.refused(self.bob, "alerts", "add", "webhook", f"https://{host}:{self.hook.port}/x",
                         said="--private")
        self.refused(self.alice, "alerts", "add", "mail", "a@b.example\r\nRCPT TO:<c@d.example>", said="")
        self.refused(self.bob, "alerts", "add", "ntfy", "https://u:p@example.org/x", said="without a user")
        self.refused(self.bob, "alerts", "add", "webhook", "file:///etc/passwd", said="https://")
        # By name, or in a spelling that only the resolver understands: seen when it is connected to.
        before = self.hook.connections
        for host in ("localhost", "127.1", "0x7f000001", "2130706433", "0.0.0.0"):
            number = self.add("webhook", f"https://{host}:{self.hook.port}/x", person=self.bob)
            self.bob.verb("alerts", "test", str(number))
            channel = wait_for("the test to fail", lambda n=number: self.channel(n).get("tested") and self.channel(n))
            self.assertFalse(channel["test_ok"])
            self.assertIn("not public", channel["trouble"], host)
            self.bob.verb("alerts", "remove", str(number))
        self.assertEqual(self.hook.connections, before)

    def test_it_is_tried_again(self):
        number = self.add_hook()
        self.hook.status = 500
        self.tell(gpus=[gpu(temperature_celsius=99)])
        channel = wait_for("trouble", lambda: self.channel(number).get("trouble") and self.channel(number))
        self.assertEqual((channel["trouble"], channel["waiting"]), ("the server answered with status 500", 1))
        self.relay.restart()  # what is under way is not lost
        self.hook.status = 302
        wait_for("another trouble", lambda: "leads elsewhere" in self.channel(number).get("trouble", ""), 40)
        self.hook.status = 204
        [message] = wait_for("it to go", self.messages, 60)
        self.assertEqual(message["kind"], "gpu_hot")
        wait_for("the trouble to be over", lambda: "trouble" not in self.channel(number))
        self.assertEqual(self.channel(number)["waiting"], 0)
        self.assertNotIn("/elsewhere", [path for path, _, _ in self.hook.got])

    def test_quiet_hours(self):
        self.add_hook()
        minute = time.strftime("%H:%M", time.gmtime(time.time() + 3600))
        before = time.strftime("%H:%M", time.gmtime(time.time() - 3600))
        self.assertEqual(self.alice.verb("alerts", "quiet", f"{before}-{minute}", "+00:00").returncode, 0)
        self.tell(gpus=[gpu(temperature_celsius=99)], disks=[{"name": "sda", "health": "failing"}])
        wait_for("what is urgent", lambda: self.messages(kind="disk_failing"))
        self.assertEqual(self.messages(kind="gpu_hot"), [])
        self.assertEqual([one["waiting"] for one in self.channels()], [1])
        self.assertEqual(self.alice.verb("alerts", "quiet", "off").returncode, 0)
        wait_for("what has waited", lambda: self.messages(kind="gpu_hot"))
        self.refused(self.bob, "alerts", "quiet", "alice", "off", said="admins only")
        self.refused(self.alice, "alerts", "quiet", "25:00-07:00", "+01:00", said="time of the day")
        self.refused(self.alice, "alerts", "quiet", "22:00-07:00", "CET", said="ahead of UTC")

    def test_ntfy_and_mail(self):
        self.add_hook("topic", kind="ntfy")
        # Nobody fills a stranger's mailbox through the relay.
        self.refused(self.bob, "alerts", "add", "mail", "ann@example.org", said="only admins")
        number = self.add("mail", "ann@example.org", "--user", "bob")
        self.relay.ctl("grant", "bob", self.box.name)
        self.tell(filesystems=[{"mount": "/d\u00e4ta\u202e \u2713", "total_bytes": 100, "used_bytes": 99,
                                "available_bytes": 1}, {"mount": "/a\r\nX-Evil: 1", "total_bytes": 100,
                                                        "used_bytes": 99, "available_bytes": 1}])
        [(path, headers, body)] = wait_for("it to arrive", lambda: self.hook.got)
        name = self.box.name
        self.assertEqual((path, headers["Title"], headers["Priority"], headers["Tags"]),
                         ("/topic", f"{name}: disk nearly full", "3", "warning"))
        self.assertEqual(headers["Click"], f"https://localhost:{self.relay.port}/machines/{name}")
        self.assertNotIn("X-Evil", headers)
        text = f"{name}: /d\u00e4ta\u202e \u2713 is 99 % full (limit 95 %)"
        self.assertEqual(body.decode(), text)
        [(sender, receiver, message)] = wait_for("the mail to arrive", lambda: self.mail.got)
        self.assertEqual((sender, receiver), ("<relay@example.org>", "<ann@example.org>"))
        mail = email.message_from_bytes(message)
        self.assertEqual((mail["Subject"], mail["From"], mail["To"]),
                         (f"{name}: disk nearly full", "Sallyport <relay@example.org>", "<ann@example.org>"))
        self.assertTrue(mail["Date"] and mail["Message-ID"])
        self.assertTrue(base64.b64decode(mail.get_payload()).decode().startswith(text + "\r\n"))
        self.assertEqual(self.channel(number)["address"], "ann@example.org")

    def test_tests_in_vain_hold_up_nobody(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            numbers = [str(self.add("webhook", f"{url}{n}", "--private", "--user", "bob")) for n in range(3)]
            for number in numbers[:2]:
                self.assertEqual(self.bob.verb("alerts", "test", number).returncode, 0)
            self.refused(self.bob, "alerts", "test", numbers[2], said="other tests are on their way")
            self.relay.ctl("alerts", "test", str(self.add_hook()))
            wait_for("the test of somebody else to arrive", lambda: self.messages("test"))
            self.refused(self.bob, "alerts", "test", numbers[2], said="other tests are on their way")
        wait_for("those in vain to end", lambda: self.bob.verb("alerts", "test", numbers[2]).returncode == 0)

    def test_a_flood_is_dammed(self):
        number = self.add_hook()
        gpus = [gpu(i, temperature_celsius=99, state="lost", throttle="thermal") for i in range(16)]
        disks = [{"name": f"sd{i}", "health": "failing"} for i in range(32)]
        for _ in range(3):
            self.tell(gpus=gpus, disks=disks)
        wait_for("the first twenty", lambda: len(self.messages()) == 20)
        self.assertEqual(self.channel(number)["waiting"], 0)
        self.assertEqual(len(self.on()), 48)
        self.relay.ctl("alerts", "test", str(number))  # what is asked for by hand goes nevertheless
        wait_for("the test to arrive", lambda: self.messages("test"))
        self.assertEqual(len(self.messages("on")), 20)

    def test_settings(self):
        shown = {one["name"]: one for one in json.loads(self.bob.verb("alerts", "settings", "--json").stdout)}
        self.assertEqual({**shown["gpu_temperature_celsius"], "help": ""}, {
            "name": "gpu_temperature_celsius", "value": "87", "default": "87", "unit": "celsius", "set_for": None,
            "help": ""})
        self.assertEqual(shown["claim_broken"]["value"], "on")
        self.refused(self.bob, "alerts", "set", "all", "gpu_temperature_celsius", "80", said="for admins only")
        self.refused(self.alice, "alerts", "set", "all", "gpu_temperature_celsius", "800", said="from 40 to 120")
        self.refused(self.alice, "alerts", "set", "all", "gpu_temperature", "80", said="no setting")
        self.refused(self.alice, "alerts", "set", "box99", "gpu_hot", "off", said="no machine 'box99'")
        self.relay.ctl("alerts", "set", "all", "gpu_temperature_celsius", "70")
        self.relay.ctl("alerts", "set", self.box.name, "gpu_temperature_celsius", "90")
        self.relay.restart()
        self.box = self.machine(self.box.name)
        shown = {one["name"]: one for one in json.loads(
            self.relay.ctl("alerts", "settings", self.box.name, "--json"))}["gpu_temperature_celsius"]
        self.assertEqual((shown["value"], shown["set_for"]), ("90", self.box.name))
        self.tell(gpus=[gpu(temperature_celsius=80)])
        self.assertEqual(self.on(), [])
        self.relay.ctl("alerts", "set", self.box.name, "gpu_temperature_celsius", "default")
        self.tell(gpus=[gpu(temperature_celsius=80)])
        self.assertEqual([one["text"] for one in self.on()], ["GPU 0 is at 80 degrees Celsius (limit 70)"])
        self.relay.ctl("alerts", "set", "all", "gpu_temperature_celsius", "default")

    def test_by_the_page(self):
        alice, bob = self.log_in(self.alice), self.log_in(self.bob)
        path = "/api/v1/alerts/channels"
        made = self.ask(alice, "POST", path, {"kind": "webhook", "address": self.hook.url("hook?secret=1234"),
                                              "private": True}, 201)
        self.assertNotIn("1234", json.dumps(made))
        self.ask(bob, "POST", path, {"kind": "webhook", "address": self.hook.url(), "private": True}, 403)
        self.ask(bob, "POST", path, {"kind": "webhook", "address": "https://example.org/", "user": "alice"}, 404)
        for wrong in ({}, {"kind": "fax", "address": "1"}, {"kind": "ntfy", "address": 1},
                      {"kind": "ntfy", "address": "https://e.example/" + "x" * 600}, [], "x"):
            self.ask(bob, "POST", path, wrong, 400)
        one = f"{path}/{made['id']}"
        self.ask(bob, "DELETE", one, None, 404)
        self.ask(bob, "POST", one + "/test", None, 404)
        self.assertEqual(self.ask(bob, "GET", path, None, 200), [])
        self.assertEqual(self.ask(alice, "POST", one + "/test", None, 202), {"queued": True})
        tested = wait_for("the test", lambda: next((c for c in self.ask(alice, "GET", path, None, 200)
                                                    if c.get("tested")), None))
        self.assertTrue(tested["test_ok"])
        self.ask(alice, "POST", one + "/test", None, 429)
        self.ask(alice, "DELETE", one, None, 204)
        quiet = {"from": "22:00", "to": "07:00", "offset": "-05:00"}
        self.assertEqual(self.ask(bob, "PUT", "/api/v1/alerts/quiet", quiet, 200), quiet)
        self.ask(bob, "PUT", "/api/v1/alerts/quiet", {"from": "22:00"}, 400)
        self.assertEqual(self.ask(bob, "GET", "/api/v1/alerts/quiet", None, 200), quiet)
        self.assertEqual(self.ask(bob, "PUT", "/api/v1/alerts/quiet", {}, 200), {})
        settings = "/api/v1/alerts/settings"
        self.ask(bob, "PUT", settings, {"machine": None, "name": "gpu_hot", "value": "off"}, 403)
        self.ask(bob, "GET", settings + "?machine=" + self.box.name, None, 404)
        self.ask(alice, "PUT", settings, {"machine": "box99", "name": "gpu_hot", "value": "off"}, 404)
        self.ask(alice, "PUT", settings, {"name": "gpu_hot", "value": "perhaps"}, 400)
        done = self.ask(alice, "PUT", settings, {"machine": self.box.name, "name": "gpu_hot", "value": "off"}, 200)
        self.assertEqual([s["set_for"] for s in done["settings"] if s["value"] == "off"], [self.box.name])
        self.tell(gpus=[gpu(state="ok", temperature_celsius=99)], disks=[{"name": "sda", "health": "failing"}])
        on = [a for a in self.ask(alice, "GET", "/api/v1/alerts", None, 200)["on"] if a["machine"] == self.box.name]
        self.assertEqual([(a["kind"], a["object"]) for a in on], [("disk_failing", "sda")])
        self.assertEqual(self.ask(bob, "GET", "/api/v1/alerts", None, 200)["on"], [])

    def log_in(self, person):
        visitor = Visitor(self.relay).log_in(person)
        visitor.csrf = json.loads(visitor.ask("/api/v1/me").text)["csrf_token"]
        return visitor

    def ask(self, who, method, path, body, wanted):
        answer = who.ask(path, method=method, fields=[("X-Sallyport-Token", who.csrf)],
                         body=json.dumps(body).encode() if body is not None else b"")
        self.assertEqual(answer.status, wanted, answer.text)
        return json.loads(answer.text) if answer.text else None
