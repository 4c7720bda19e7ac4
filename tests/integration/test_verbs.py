"""The verbs, over ssh and over the control socket: what they do, what they refuse, and who sees what."""
import json
import re
import unittest

from lib import Agent, Case, Person, echo, run, wait_for


class Verbs(Case):
    @classmethod
    def begin(cls):
        cls.servers = [cls.world.serve(echo) for _ in range(2)]
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent("".join(
            f"[service echo{n}]\nport = {server.port}\nkind = tcp\n" for n, server in enumerate(cls.servers)))
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay, cls.sshd)
        cls.relay.ctl("machine", "add", "box2", cls.world.public(cls.world.key("box2")))
        cls.relay.wait_online("box1", "ssh", "echo0", "echo1")

    def ask(self, person, *words, **how):
        done = person.verb(*words, **how)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def refuse(self, person, *words, status=1, **how):
        done = person.verb(*words, **how)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        self.assertTrue(done.stderr.strip(), f"{words}: refused without a word")
        return done.stderr

    def names(self, person):
        return [machine["name"] for machine in json.loads(self.ask(person, "list", "--json"))]

    def test_help_names_every_verb(self):
        text = self.ask(self.alice, "help")
        for verb in "help list status whoami login invite user machine key grant revoke audit".split():
            self.assertRegex(text, rf"\b{verb}\b")
            self.assertIn(verb, self.ask(self.alice, "help", verb))

    def test_no_verb_is_the_list_and_a_hint(self):
        done = self.alice.ssh("-T", "relay")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("box1", done.stdout)
        self.assertIn("help", done.stdout + done.stderr)

    def test_a_terminal_gets_line_ends_of_a_terminal(self):
        done = run(["script", "-qec", " ".join(self.alice.argv("-tt", "relay", "list")), "/dev/null"])
        self.assertEqual(done.returncode, 0)
        self.assertIn("box1", done.stdout)

    def test_an_unknown_verb_names_the_closest(self):
        self.assertIn("list", self.refuse(self.alice, "lsit", status=2))

    def test_wrong_usage_exits_with_2(self):
        for words in (("status",), ("user", "add"), ("machine", "rename", "box1"), ("grant", "bob"), ("key", "frob"),
                      ("list", "--no-such-option"), ("invite", "machine", "box7", "--for", "soon")):
            self.refuse(self.alice, *words, status=2)

    def test_an_unclosed_quote(self):
        self.refuse(self.alice, "status 'box1", status=2)

    def test_list_for_people_and_programs(self):
        table = self.ask(self.alice, "list")
        self.assertRegex(table, r"(?m)^box1\s+online")
        self.assertRegex(table, r"(?m)^box2\s+(offline|never)")
        machine = {m["name"]: m for m in json.loads(self.ask(self.alice, "list", "--json"))}["box1"]
        self.assertTrue(machine["online"])
        self.assertEqual(machine["route"], "relayed")
        self.assertRegex(machine["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        services = {service["name"]: service for service in machine["services"]}
        self.assertEqual(services["echo0"],
                         {**services["echo0"], "kind": "tcp", "port": self.servers[0].port, "state": "up"})
        self.assertEqual(services["ssh"]["kind"], "ssh")

    def test_status_has_the_machine_s_health(self):
        self.assertIn("box1", self.ask(self.alice, "status", "box1"))
        view = json.loads(self.ask(self.alice, "status", "box1", "--json"))
        self.assertEqual(view["name"], "box1")
        status = view["status"]
        self.assertGreater(status["memory_total_bytes"], status["memory_used_bytes"])
        self.assertGreater(status["cpu_count"], 0)
        self.assertGreaterEqual(status["load_1m"], 0)
        self.assertGreater(status["uptime_s"], 0)
        for filesystem in status["filesystems"]:
            self.assertLessEqual(filesystem["used_bytes"], filesystem["total_bytes"])
        self.assertTrue(self.refuse(self.alice, "status", "box9"))

    def test_whoami(self):
        self.assertIn("admin", self.ask(self.alice, "whoami"))
        answer = json.loads(self.ask(self.bob, "whoami", "--json"))
        self.assertEqual((answer["name"], answer["role"]), ("bob", "member"))

    def test_the_control_socket_answers_as_ssh_does(self):
        self.assertEqual([m["name"] for m in json.loads(self.relay.ctl("list", "--json"))], self.names(self.alice))
        self.assertNotEqual(self.relay.try_ctl("status", "box9").returncode, 0)
        self.assertEqual(self.relay.try_ctl("nonsense").returncode, 2)
        mode = (self.relay.state / "ctl.sock").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)

    def test_users_come_and_go(self):
        key = self.world.key("carol")
        self.ask(self.alice, "user", "add", "carol", f"'{self.world.public(key)}'")
        carol = Person(self.world, "carol", self.relay, self.sshd, known=False)
        self.assertIn("member", self.ask(carol, "whoami"))
        self.assertRegex(self.ask(self.alice, "user", "list"), r"(?m)^carol\b")
        self.assertIn("carol", [user["name"] for user in json.loads(self.ask(self.alice, "user", "list", "--json"))])
        self.ask(self.alice, "user", "disable", "carol")
        self.assertEqual(carol.verb("whoami").returncode, 255)
        self.ask(self.alice, "user", "enable", "carol")
        self.ask(carol, "whoami")
        self.ask(self.alice, "user", "remove", "carol")
        self.assertEqual(carol.verb("whoami").returncode, 255)
        self.refuse(self.alice, "user", "remove", "carol")

    def test_names_against_the_rules_or_taken(self):
        key = self.world.public(self.world.key("spare"))
        for name in ("ab", "Box", "1box", "a--b", "box-", "join", "x" * 32, "ünï", "bo_x"):
            self.refuse(self.alice, "user", "add", name, f"'{key}'")
            self.refuse(self.alice, "machine", "add", name, f"'{key}'")
            self.refuse(self.alice, "invite", "machine", name)
        for name in ("box1", "bob"):
            self.assertIn(name, self.refuse(self.alice, "user", "add", name, f"'{key}'"))
            self.assertIn(name, self.refuse(self.alice, "machine", "add", name, f"'{key}'"))
        self.refuse(self.alice, "machine", "rename", "box2", "bob")

    def test_keys_that_are_none_and_keys_that_are_taken(self):
        for text in ("ssh-ed25519", "'ssh-ed25519 AAAA'", "'ssh-dss AAAAB3NzaC1kc3M='", "'hello there'",
                     "'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=='"):
            self.refuse(self.alice, "user", "add", "dave", text)
        self.refuse(self.alice, "user", "add", "dave", f"'{self.world.public(self.bob.key)}'")
        self.assertNotIn("dave", self.ask(self.alice, "user", "list"))

    def test_a_second_key_from_standard_input_and_its_removal(self):
        key = self.world.key("bob-second")
        self.ask(self.bob, "key", "add", "-", input=self.world.public(key) + "\n")
        listed = json.loads(self.ask(self.bob, "key", "list", "--json"))
        self.assertEqual(len(listed), 2)
        fingerprint = run(["ssh-keygen", "-lf", f"{key}.pub"]).stdout.split()[1]
        self.assertIn(fingerprint, self.ask(self.bob, "key", "list"))
        self.assertEqual(self.bob.ssh("-o", f"IdentityFile={key}", "relay", "whoami").returncode, 0)
        self.ask(self.bob, "key", "remove", fingerprint)
        self.assertEqual(len(json.loads(self.ask(self.bob, "key", "list", "--json"))), 1)

    def test_a_member_may_order_nothing(self):
        key = f"'{self.world.public(self.world.key('spare'))}'"
        for words in (("user", "add", "mallory", key), ("user", "list"), ("user", "remove", "alice"),
                      ("machine", "add", "boxm", key), ("machine", "remove", "box1"), ("invite", "machine", "boxm"),
                      ("invite", "user", "mallory", "--admin"), ("grant", "bob", "box1"), ("key", "list", "alice"),
                      ("key", "add", "alice", key), ("user", "add", "bob", "--admin", key)):
            done = self.bob.verb(*words)
            self.assertNotEqual(done.returncode, 0, words)
        self.assertIn("member", self.ask(self.bob, "whoami"))
        self.assertNotIn("mallory", self.ask(self.alice, "user", "list"))

    def test_a_member_sees_what_was_granted_and_nothing_else(self):
        self.addCleanup(self.relay.try_ctl, "revoke", "bob", "box1")
        port = self.servers[0].port
        self.assertEqual(self.names(self.bob), [])
        # What he may not see is answered as what does not exist: but for the name, to the letter.
        hidden, none = self.refuse(self.bob, "status", "box1"), self.refuse(self.bob, "status", "box8")
        self.assertEqual(hidden.replace("box1", "BOX"), none.replace("box8", "BOX"))
        def way(host, at):
            done = self.bob.ssh("-W", f"{host}:{at}", "relay")
            self.assertNotEqual(done.returncode, 0)
            return re.sub(r"\d{4,5}", "PORT", done.stderr.replace(host, "BOX"))
        self.assertEqual(way("box1", 22), way("box8", 22))
        self.assertEqual(way("box1", port), way("box8", port))

        self.ask(self.alice, "grant", "bob", "box1/echo0")
        self.assertEqual(self.names(self.bob), ["box1"])
        view = json.loads(self.ask(self.bob, "status", "box1", "--json"))
        self.assertEqual([service["name"] for service in view["services"]], ["echo0"])
        self.assertEqual(self.round_trip(self.bob, port), b"hello")
        self.assertNotEqual(self.bob.ssh("-J", "relay", "box1", "true").returncode, 0)
        self.assertNotEqual(self.bob.ssh("-W", f"box1:{self.servers[1].port}", "relay").returncode, 0)

        self.ask(self.alice, "grant", "bob", "box1")
        self.assertEqual(self.bob.ssh("-J", "relay", "box1", "echo in").stdout, "in\n")
        # The wider one takes the narrower one with it.
        self.ask(self.alice, "revoke", "bob", "box1")
        self.assertEqual(self.names(self.bob), [])

    def round_trip(self, person, port):
        client = person.start("-W", f"box1:{port}", "relay")
        client.stdin.write(b"hello")
        client.stdin.flush()
        answer = client.stdout.read(5)
        client.kill()
        return answer

    def test_revoking_ends_what_is_running(self):
        self.relay.ctl("grant", "bob", "box1/echo0")
        client = self.bob.start("-W", f"box1:{self.servers[0].port}", "relay")
        client.stdin.write(b"hello")
        client.stdin.flush()
        self.assertEqual(client.stdout.read(5), b"hello")
        self.relay.ctl("revoke", "bob", "box1/echo0")
        self.assertEqual(client.stdout.read(), b"")

    def test_disabling_a_user_ends_what_is_running(self):
        erin = Person(self.world, "erin", self.relay, self.sshd)
        self.relay.ctl("grant", "erin", "box1")
        client = erin.start("-W", f"box1:{self.servers[0].port}", "relay")
        client.stdin.write(b"hello")
        client.stdin.flush()
        self.assertEqual(client.stdout.read(5), b"hello")
        self.relay.ctl("user", "disable", "erin")
        self.assertEqual(client.stdout.read(), b"")
        self.assertEqual(client.wait(20), 255)

    def test_grants_to_nobody_and_to_nothing(self):
        for words in (("grant", "nobody", "box1"), ("grant", "bob", "box9"), ("revoke", "bob", "box2"),
                      ("grant", "box1", "box2"), ("grant", "bob", "box1/NO")):
            self.refuse(self.alice, *words)

    def test_the_last_admin_stays(self):
        self.refuse(self.alice, "user", "remove", "alice")
        self.refuse(self.alice, "user", "disable", "alice")
        self.assertIn("admin", self.ask(self.alice, "whoami"))

    def test_an_agent_learns_that_its_machine_was_renamed(self):
        agent = Agent(self.world, "old1", self.relay)
        agent.join()
        agent.start()
        self.relay.wait_online("old1")
        self.ask(self.alice, "machine", "rename", "old1", "new1")
        wait_for("the agent to hear of it", lambda: agent.status()["name"] == "new1", 30)
        agent.process.kill()
        agent.process.wait(20)
        self.relay.wait_offline("new1")
        self.ask(self.alice, "machine", "rename", "new1", "newer1")
        agent.start()
        self.relay.wait_online("newer1")
        wait_for("the agent to hear of it", lambda: agent.status()["name"] == "newer1", 30)
        self.assertEqual(json.loads((agent.state / "joined.json").read_text())["name"], "newer1")
        self.assertIn("newer1: connected to", agent.try_status().stdout)

    def test_machines_renamed_and_removed_while_they_run(self):
        machine = self.world.key("temp")
        self.ask(self.alice, "machine", "add", "temp1", f"'{self.world.public(machine)}'")
        agent = Person(self.world, "temp1", self.relay, known=False, more="")
        tunnel = agent.start("-i", str(machine), "-N", "-R", f"ssh:22:127.0.0.1:{self.sshd.port}", "relay")
        self.relay.wait_online("temp1", "ssh")
        self.ask(self.alice, "machine", "rename", "temp1", "temp2")
        self.assertNotIn("temp1", self.relay.machines())
        self.assertIn("temp2", self.relay.machines())
        self.assertEqual(self.alice.ssh("-J", "relay", "temp2", "echo in").stdout, "in\n")
        tunnel.kill()
        tunnel.wait(20)
        self.relay.wait_offline("temp2")
        # What runs on the machine still knows the old name, also when somebody else has that by now.
        self.ask(self.alice, "machine", "add", "temp1", f"'{self.world.public(self.world.key('other'))}'")
        tunnel = agent.start("-i", str(machine), "-N", "-R", f"ssh:22:127.0.0.1:{self.sshd.port}", "relay")
        self.relay.wait_online("temp2", "ssh")
        self.assertFalse(self.relay.machine("temp1")["online"])
        self.ask(self.alice, "machine", "remove", "temp2")
        self.assertNotIn("temp2", self.relay.machines())
        self.assertEqual(tunnel.wait(20), 255)
        self.ask(self.alice, "machine", "remove", "temp1")

    def test_an_unknown_key_gets_nowhere(self):
        stranger = Person(self.world, "stranger", self.relay, known=False)
        for user in ("alice", "box1", "nobody"):
            done = stranger.ssh("-l", user, "relay", "whoami")
            self.assertEqual(done.returncode, 255)
            self.assertIn("Permission denied (publickey)", done.stderr)

    def test_a_key_of_one_does_not_open_the_name_of_another(self):
        for user in ("alice", "box2", "join-me"):
            self.assertEqual(self.bob.ssh("-l", user, "relay", "whoami").returncode, 255)

    def test_passwords_are_not_asked_for(self):
        done = self.alice.ssh("-v", "-o", "PubkeyAuthentication=no", "relay", "whoami")
        self.assertEqual(done.returncode, 255)
        self.assertRegex(done.stderr, r"Authentications that can continue: publickey\s")


if __name__ == "__main__":
    unittest.main()
