"""Claims on GPUs, which of them are free, and machines that sleep and are woken: by verbs and by the API."""
import json

from lib import Case, Person, Relay, wait_for
from lib.door import HandMachine
from lib.web import Visitor

GPUS = [
    {"id": "GPU-a", "index": 0, "name": "A 100", "state": "ok", "used_share": 0.0, "memory_total_bytes": 1 << 34},
    {"id": "GPU-b", "index": 1, "name": "B 200", "state": "ok", "used_share": 0.01, "memory_total_bytes": 1 << 33},
]


class Claims(Case):
    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.carol = Person(cls.world, "carol", cls.relay)
        cls.box = HandMachine(cls.world, "box1", cls.relay)
        for user, what in (("bob", "box1/ssh"), ("carol", "box1/jupyter")):
            cls.relay.ctl("grant", user, what)

    def setUp(self):
        self.tell()

    def tearDown(self):
        for gpu in ("0", "1"):
            self.relay.try_ctl("release", "box1", gpu)

    def tell(self, gpus=(), processes=(), box=None, **more):
        box = box or self.box
        box.link.send(kind="status", gpus=list(gpus) or GPUS, processes=list(processes), **more)
        box.link.settle()

    def claims(self):
        return self.relay.machine("box1").get("claims", [])

    def refused(self, person, *words, said):
        done = person.verb(*words)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(said, done.stderr)

    def test_claim_and_release(self):
        done = self.bob.verb("claim", "box1", "0", "--for", "2h", "--note", "speech", "run <b>")
        self.assertEqual(done.returncode, 0, done.stderr)
        [claim] = self.claims()
        self.assertEqual((claim["gpu"], claim["user"], claim["note"]), (0, "bob", "speech run <b>"))
        self.refused(self.alice, "claim", "box1", "0", said="bob has claimed GPU 0 of box1 until")
        self.refused(self.carol, "release", "box1", "0", said="it is bob's claim")
        longer = json.loads(self.bob.verb("claim", "box1", "0", "--for", "1d", "--json").stdout)
        self.assertEqual((longer["since"], longer["note"]), (claim["since"], claim["note"]))
        self.assertGreater(longer["until"], claim["until"])
        self.relay.restart()
        self.assertEqual(self.claims(), [longer])  # it is offline, and the claim is shown all the same
        type(self).box = HandMachine(self.world, "box1", self.relay)
        self.tell()
        self.assertEqual(self.bob.verb("release", "box1", "0").returncode, 0)
        self.assertEqual(self.claims(), [])
        self.refused(self.bob, "release", "box1", "0", said="nobody has claimed GPU 0")

    def test_who_may(self):
        self.refused(self.carol, "claim", "box1", "0", said="who may log in on box1")
        self.refused(self.bob, "claim", "box9", "0", said="no machine 'box9'")
        self.refused(self.bob, "claim", "box1", "7", said="box1 has no GPU 7")
        self.refused(self.bob, "claim", "box1", "x", said="the number of a GPU")
        self.refused(self.bob, "claim", "box1", "0", "--for", "31d", said="30 days at most")
        self.refused(self.bob, "claim", "box1", "0", "--note", "x" * 121, said="at most 120 characters")
        self.assertIn("no account", self.relay.try_ctl("claim", "box1", "0").stderr)
        self.assertEqual(self.bob.verb("claim", "box1", "1").returncode, 0)
        self.assertEqual(self.alice.verb("release", "box1", "1").returncode, 0)  # as an admin

    def test_a_claim_stays_with_its_gpu(self):
        self.bob.verb("claim", "box1", "0")
        self.tell([{**GPUS[0], "index": 1}, {**GPUS[1], "index": 0}])
        self.assertEqual([claim["gpu"] for claim in self.claims()], [1])
        self.tell([{**GPUS[1], "index": 1}])
        self.assertEqual(self.claims(), [])  # its GPU is not there, and another one has its number
        self.tell()
        self.assertEqual([claim["gpu"] for claim in self.claims()], [0])

    def test_it_goes_with_its_user(self):
        dave = Person(self.world, "dave", self.relay, admin=True)
        self.assertEqual(dave.verb("claim", "box1", "1").returncode, 0)
        self.relay.ctl("user", "remove", "dave")
        self.assertEqual(self.claims(), [])
        self.assertEqual(self.bob.verb("claim", "box1", "1").returncode, 0)

    def test_it_goes_with_the_right(self):
        self.bob.verb("claim", "box1", "1")
        self.relay.ctl("revoke", "bob", "box1")
        self.assertEqual(self.claims(), [])
        self.relay.ctl("grant", "bob", "box1/ssh")
        self.assertEqual(self.claims(), [])

    def test_processes_against_it_are_marked(self):
        self.bob.verb("claim", "box1", "0")
        self.tell(processes=[{"pid": 1, "gpus": [0], "user": "bob"}, {"pid": 2, "gpus": [0], "user": "eve"},
                             {"pid": 3, "gpus": [1], "user": "eve"}, {"pid": 4, "gpus": [0], "user": "root"},
                             {"pid": 5, "gpus": [0], "user": "ubuntu", "person": "bob"}])
        processes = self.relay.machine("box1")["status"]["processes"]
        self.assertEqual([one["pid"] for one in processes if one.get("against_claim")], [2])

    def test_free(self):
        self.tell()
        free = json.loads(self.bob.verb("list", "--free", "--json").stdout)
        self.assertEqual([(one["machine"], one["gpu"], one["name"]) for one in free],
                         [("box1", 0, "A 100"), ("box1", 1, "B 200")])
        since = free[1]["idle_since"]
        self.tell([{**GPUS[0], "used_share": 0.9}, GPUS[1]], processes=[{"pid": 9, "gpus": [0], "user": "eve"}])
        [free] = json.loads(self.bob.verb("list", "--free", "--json").stdout)
        self.assertEqual((free["gpu"], free["idle_since"]), (1, since))
        self.assertIn("B 200  8 GiB", self.bob.verb("list", "--free").stdout)
        self.bob.verb("claim", "box1", "1")
        self.assertEqual(json.loads(self.bob.verb("list", "--free", "--json").stdout), [])
        self.assertIn("no GPU is free", self.bob.verb("list", "--free").stderr)

    def test_by_the_page(self):
        alice, bob, carol = [self.log_in(person) for person in (self.alice, self.bob, self.carol)]
        path = "/api/v1/machines/box1/claims"
        made = self.ask(bob, "POST", path, {"gpu": 1, "for_s": 3600, "note": "<script>"}, 201)
        self.assertEqual((made["gpu"], made["user"], made["note"]), (1, "bob", "<script>"))
        self.assertIn("bob has claimed", self.ask(alice, "POST", path, {"gpu": 1}, 409)["error"])
        self.ask(carol, "POST", path, {"gpu": 0}, 403)
        self.ask(bob, "POST", "/api/v1/machines/box9/claims", {"gpu": 0}, 404)
        for wrong in ({}, {"gpu": -1}, {"gpu": "0"}, {"gpu": 0, "for_s": 1e9}, {"gpu": 0, "note": "a\nb"},
                      {"gpu": 0, "note": "x" * 121}, {"gpu": 0, "for_s": "8h"}, [1]):
            self.ask(bob, "POST", path, wrong, 400)
        self.ask(carol, "DELETE", path + "/1", None, 403)
        self.ask(bob, "DELETE", path + "/x", None, 404)
        self.ask(bob, "DELETE", path + "/1", None, 204)
        self.assertEqual(self.claims(), [])
        answer = Visitor(self.relay).ask(path, method="POST", body=b"{}", fields=[("Cookie", bob.cookies[None])],
                                         cookie=None)
        self.assertEqual(answer.status, 403)  # without our page's token

    def log_in(self, person):
        visitor = Visitor(self.relay).log_in(person)
        visitor.csrf = json.loads(visitor.ask("/api/v1/me").text)["csrf_token"]
        return visitor

    def ask(self, who, method, path, body, wanted):
        answer = who.ask(path, method=method, fields=[("X-Sallyport-Token", who.csrf)],
                         body=json.dumps(body).encode() if body is not None else b"")
        self.assertEqual(answer.status, wanted, answer.text)
        return json.loads(answer.text) if answer.text else None

    def test_asleep_and_woken(self):
        lan = [{"mac": "02:00:00:00:00:07", "network": "192.168.7.0/24"}]
        sleeper = HandMachine(self.world, "box7", self.relay)
        self.refused(self.alice, "wake", "box7", said="its networks are not known")
        sleeper.link.send(kind="lan", networks=lan)
        self.tell(box=sleeper, power_state="sleeping")
        self.refused(self.alice, "wake", "box7", said="box7 is online already")
        sleeper.link.close()
        self.relay.wait_offline("box7")
        self.assertTrue(self.relay.machine("box7")["asleep"])
        self.refused(self.alice, "wake", "box7", said="no other machine is online in its network")
        self.box.link.send(kind="lan", networks=[{"mac": "02:00:00:00:00:01", "network": "192.168.7.0/24"}])
        self.tell()
        self.relay.restart()
        type(self).box = HandMachine(self.world, "box1", self.relay)
        self.tell()
        self.assertTrue(self.relay.machine("box7")["asleep"])
        self.refused(self.bob, "wake", "box7", said="no machine 'box7'")
        done = self.alice.verb("wake", "box7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("box1 has called box7 awake", done.stderr)
        self.assertEqual(self.box.link.until("wake"), {"kind": "wake", **lan[0]})
        self.assertEqual(self.ask(self.log_in(self.alice), "POST", "/api/v1/machines/box7/wake", None, 202),
                         {"through": "box1"})
        back = HandMachine(self.world, "box7", self.relay)
        self.assertNotIn("asleep", self.relay.machine("box7"))
        back.link.close()
        self.relay.wait_offline("box7")
        wait_for("it to be lost, not asleep", lambda: "asleep" not in self.relay.machine("box7"))
