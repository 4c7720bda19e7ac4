"""The history of machines: it comes and stays, through kills, damage, a full disk and jumping clocks; and whether they pay."""
import csv
import ctypes
import io
import json
import os
import subprocess
import time
import unittest

from lib import STRETCH, Agent, Case, Person, Relay, Sshd, wait_for
from lib.api import ApiCase
from lib.nvml import Gpus
from lib.web import Visitor

CLOCK = os.environ.get("SALLYPORT_CLOCK_SHIFT", "")
SPEED = 30
CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 16384, 1 << 18


class FastRelay(Relay):
    """Its clock goes SPEED times as fast from now on, through all its lives: a minute passes in two seconds."""

    def __init__(self, world, name="relay", **how):
        self.began = int(time.time())
        self.shift = 0
        super().__init__(world, name, **how)

    def start(self):
        sanitizers = {"ASAN_OPTIONS": "verify_asan_link_order=0"} if STRETCH > 1 else {}
        env = {**os.environ, **sanitizers, "LD_PRELOAD": CLOCK, "CLOCK_START": str(self.began),
               "CLOCK_SPEED": str(SPEED), "CLOCK_SHIFT_S": str(self.shift)}
        self.process = self.world.start(self.name, self.argv(), env=env)
        for address in self.listen:
            self.process.wait_line(r"listening on " + address)

    def now(self):
        return int(self.began + (time.time() - self.began) * SPEED + self.shift)


class Watched(Case):
    """box1 says every second how it is."""

    def begin_history(self, **how):
        gpus = Gpus(self.world)
        self.relay = FastRelay(self.world, **how)
        sshd = Sshd(self.world)
        self.agent = Agent(self.world, "box1", self.relay,
                           f"sample_interval = 1\n[service ssh]\nport = {sshd.port}\n", gpus.env)
        self.agent.join()
        self.agent.start("ssh")
        alice = Person(self.world, "alice", self.relay, admin=True)
        self.token = alice.verb("key", "add", "--api", "test").stdout.strip()

    def ask(self, path):
        return Visitor(self.relay).ask(path, fields=[("Authorization", f"Bearer {self.token}")])

    def history(self, **query):
        query = {"from": self.relay.began - 600, "to": self.relay.now() + 3600, "step": 60, **query}
        answer = self.ask("/api/v1/machines/box1/history?" + "&".join(f"{key}={query[key]}" for key in query))
        self.assertEqual(answer.status, 200, answer.text)
        table = json.loads(answer.text)
        self.assertEqual(sorted(set(table["times"])), table["times"])
        for one in table["series"]:
            self.assertEqual(len(one["values"]), len(table["times"]), one["name"])
        return table

    def minutes(self):
        """The times of the minutes of which something is known."""
        table = self.history()
        known = [one for one in table["series"] if one["name"] == "memory_used_share"]
        return [time for time, value in zip(table["times"], known[0]["values"]) if value is not None] if known else []

    def wait_minutes(self, more):
        """Until so many more are on the disk; those that are there then."""
        before = set(self.minutes())
        return wait_for(f"{more} more minutes of history",
                        lambda: len(set(self.minutes()) - before) > more and self.minutes(), 60)


class History(Watched):
    def test_kill_damage_and_jumps(self):
        self.begin_history()
        self.wait_minutes(3)
        for _ in range(3):  # a kill at some moment, also while it writes
            kept = self.minutes()[:-2]
            self.relay.process.kill()
            self.relay.start()
            self.relay.wait_online("box1")
            self.assertEqual(set(kept) - set(self.minutes()), set())
            self.assertNotIn("lost", self.history())
            self.wait_minutes(1)
        self.what_it_pays()
        self.cut_off()
        self.jump(7200)
        self.jump(-86400)

    def what_it_pays(self):
        """The GPUs of the machine, by the names that have a price, and the energy of the last minutes."""
        pay = json.loads(self.relay.ctl("pay", "box1", "--json"))
        self.assertEqual(sorted(gpu["index"] for gpu in pay["gpus"]), [0, 1])
        self.assertGreater(pay["energy_kwh"], 0)
        self.assertTrue(all(gpu["used_hours"] >= 0 for gpu in pay["gpus"]))
        self.assertTrue(any(gpu.get("cloud_price_per_hour") for gpu in pay["gpus"]), pay)

    def cut_off(self):
        """The file ends in the middle: the relay starts, says what it lost, and everybody can still get in."""
        file = self.relay.state / "history.sqlite"
        self.relay.process.stop()
        os.truncate(file, file.stat().st_size // 2)
        self.relay.start()
        self.relay.wait_online("box1", "ssh")
        self.assertIn("history", self.relay.process.text())
        self.assertIn("damaged", self.relay.process.text())
        self.assertRegex(self.history()["lost"], r"is lost.*history\.damaged-\d+")
        self.assertEqual([user["name"] for user in json.loads(self.relay.ctl("user", "list", "--json"))], ["alice"])
        self.assertEqual(len(list(self.relay.state.glob("history.damaged-*[0-9]"))), 1)
        self.wait_minutes(2)
        self.relay.restart()
        self.assertNotIn("lost", self.history())

    def jump(self, seconds):
        """The relay's clock is another one from its next start on."""
        kept = self.minutes()[:-1]
        self.relay.process.stop()
        self.relay.shift += seconds
        self.relay.start()
        self.relay.wait_online("box1")
        began = self.relay.now() - 60
        table = wait_for("history at the new time", lambda: self.history(**{"from": began, "to": began + 7200})["times"])
        self.assertGreaterEqual(min(table), began - 60)
        known = self.history(**{"from": min(kept), "to": max(kept) + 1})["times"]
        self.assertEqual(set(kept) - set(known), set())


class FullDisk(Watched):
    """The state folder lies on a small disk, which is then full."""

    @classmethod
    def begin(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        if os.getuid() != 0 or libc.unshare(CLONE_NEWNS) != 0:
            raise unittest.SkipTest("mounting wants root")
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        cls.libc = libc

    def test_history_waits_for_room(self):
        state = self.world.folder("relay-state")
        done = self.libc.mount(b"tmpfs", os.fsencode(state), b"tmpfs", 0, b"size=8m,mode=700")
        self.assertEqual(done, 0, os.strerror(ctypes.get_errno()))
        self.world.at_end(lambda: self.libc.umount2(os.fsencode(state), 2))
        self.begin_history()
        self.wait_minutes(2)
        filling = state / "filling"
        with open(filling, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        lost = wait_for("the relay to say that it cannot write", lambda: self.history().get("lost"), 60)
        self.assertRegex(lost, r"cannot be written: .*(full|space)")
        self.assertTrue(self.relay.machine("box1")["online"])
        filling.unlink()
        wait_for("the relay to write again", lambda: "lost" not in self.history(), 60)
        self.wait_minutes(2)


class Api(ApiCase):
    """What the API answers, as it is described, and for whom."""

    @classmethod
    def begin(cls):
        super().begin()
        cls.carol = Person(cls.world, "carol", cls.relay)
        cls.relay.wait_online("box1", "ssh")

    def test_history(self):
        bob = self.log_in(self.bob)
        path = "/api/v1/machines/box1/history"

        def known():
            table = self.call(bob, "GET", path, wanted=200)
            return {one["name"]: one["values"] for one in table["series"]}.get("memory_used_share") and table
        table = wait_for("the first status", known)
        self.assertEqual((table["machine"], table["step_s"]), ("box1", 60))
        self.assertGreater(min(value for one in table["series"] if one["name"] == "memory_used_share"
                               for value in one["values"]), 0)
        text = self.call(bob, "GET", path + "?format=csv", wanted=200)
        rows = list(csv.reader(io.StringIO(text)))
        self.assertEqual(rows[0][0], "time")
        self.assertIn("memory_used_share", rows[0])
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})
        for query in ("from=yesterday", "step=0", "step=-1", "format=xml", "from=2026-01-02&to=2026-01-01",
                      "from=2020-01-01&to=2026-01-01", "from=2026-01-01T00:00:00Z&to=2026-01-31T00:00:00Z&step=10&x=%",
                      "from=%zz", "to=" + "9" * 40):
            with self.subTest(query):
                wanted = 200 if "step=10" in query else 400
                self.call(bob, "GET", f"{path}?{query}", wanted=wanted)
        self.call(self.log_in(self.carol), "GET", path, wanted=404)
        self.call(None, "GET", path, wanted=401)
        self.call(bob, "GET", "/api/v1/machines/box9/history", wanted=404)

    def test_pay(self):
        alice, bob = self.log_in(self.alice), self.log_in(self.bob)
        path = "/api/v1/machines/box1/pay"
        self.assertEqual(self.call(bob, "GET", path, wanted=200)["currency"], "USD")
        said = {"machine_price": 3200, "power_price_per_kwh": 0.3, "since": "2026-01-31", "currency": "EUR"}
        self.call(bob, "PUT", path, said, 403)
        told = self.call(alice, "PUT", path, said, 200)
        self.assertEqual({key: told[key] for key in said}, said)
        self.assertNotIn("cloud_price_per_gpu_hour", told)
        for wrong in ({"machine_price": -1}, {"machine_price": "much"}, {"since": "yesterday"}, {"currency": "euro"},
                      {"price": 1}, {"since": 5}):
            self.call(alice, "PUT", path, wrong, 400)
        self.assertEqual(self.call(bob, "GET", path, wanted=200)["machine_price"], 3200)
        self.call(self.log_in(self.carol), "GET", path, wanted=404)
        shown = json.loads(self.bob.verb("pay", "box1", "--json").stdout)
        self.assertEqual(shown["machine_price"], 3200)
        self.assertEqual(self.bob.verb("price", "box1", "--machine", "1").returncode, 1)
        done = self.alice.verb("price", "box1", "--cloud", "0.5", "--since", "off", "--machine=4000.5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4000.50 EUR", done.stdout)
        self.assertIn("0.50 EUR", done.stdout)
        self.assertEqual(self.alice.verb("price", "box1", "--power", "cheap").returncode, 2)
        self.assertIn("4000.50 EUR", self.alice.verb("pay", "box1").stdout)
        self.assertRegex(self.alice.verb("price", "box1", "--power", "off").stdout, r"(?m)^kWh +-$")


class Prices(Case):
    """prices.ini: what is wrong in it is said with its line, before the relay runs, and at a reload."""

    def test_a_file_of_ones_own(self):
        file = self.world.path("prices.ini")
        config = self.world.path("relay.ini")
        config.write_text(f"prices = {file}\n", encoding="utf-8")
        file.write_text("[gpu *RTX 4090]\nper_hour = much\n", encoding="utf-8")
        done = subprocess.run([os.environ.get("SALLYPORT_RELAY", "sallyport-relay"), "check-config", "--config", config],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{file}:2: ", done.stderr)
        file.write_text("[gpu *RTX 4090]\nper_hour = 0.5\n", encoding="utf-8")
        relay = Relay(self.world, extra=["--config", config])
        file.write_text("[gpu *RTX 4090]\nper_hour = 0.5\nwhat = 1\n", encoding="utf-8")
        relay.process.signal(1)
        relay.process.wait_line(r"prices stay as they were: .*prices\.ini:3: .*what")


if __name__ == "__main__":
    unittest.main()
