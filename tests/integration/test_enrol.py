"""Enrolment: tokens and join URLs, the good and the bad ones, for machines and for people."""
import json
import shutil
import socket
import sqlite3
import unittest

from lib import AGENT, Agent, Case, Person, Relay, Sshd, find_url, run
from lib.client import Client


class Enrol(Case):
    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.sshd = Sshd(cls.world)
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def agent(self, name):
        return Agent(self.world, name, self.relay, f"[service ssh]\nport = {self.sshd.port}\n")

    def refuse(self, agent, url, *patterns):
        done = agent.try_join(url)
        self.assertIn(done.returncode, (1, 2), done.stdout + done.stderr)
        for pattern in patterns:
            self.assertRegex(done.stderr, pattern)
        return done.stderr

    def test_one_line_to_paste_joins_and_runs(self):
        line = self.alice.verb("invite", "machine", "boxa").stdout
        self.assertIn("sallyport-agent join", line)
        agent = self.agent("boxa")
        done = agent.try_join(find_url(line))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("boxa", done.stdout + done.stderr)
        agent.start("ssh")
        self.assertEqual(agent.status()["state"], "connected")
        self.assertIn("boxa", agent.try_status().stdout)

    def test_the_url_from_standard_input(self):
        url = self.relay.invite_machine("boxstdin")
        agent = self.agent("boxstdin")
        argv = [*agent.within, AGENT, "join", "--state", agent.state, "-"]
        self.assertEqual(run(argv, input="").returncode, 1)
        done = run(argv, input=f" {url}\r\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("boxstdin", self.relay.machines())

    def test_the_url_names_the_key_that_ssh_sees(self):
        url = self.relay.invite_machine("boxurl")
        scanned = run(["ssh-keyscan", "-t", "ed25519", "-p", str(self.relay.port), "127.0.0.1"])
        told = run(["ssh-keygen", "-lf", "-"], input=scanned.stdout).stdout.split()[1]
        self.assertEqual(url.split("#")[1], told)
        self.assertTrue(url.startswith(f"sallyport://localhost:{self.relay.port}/"))

    def test_a_used_token(self):
        url = self.relay.invite_machine("boxb")
        self.assertEqual(self.agent("boxb").try_join(url).returncode, 0)
        self.refuse(self.agent("boxb-again"), url, r"(?i)used")

    def test_an_expired_token(self):
        url = self.relay.invite_machine("boxc", "--for", "1m")
        # Nobody waits for a minute: the relay's own record is made to end earlier.
        with sqlite3.connect(self.relay.state / "relay.db") as database:
            self.assertEqual(database.execute("UPDATE invite SET expires = 1 WHERE name = 'boxc'").rowcount, 1)
        database.close()
        self.refuse(self.agent("boxc"), url, r"(?i)expired")
        self.assertNotIn("boxc", self.relay.machines())

    def test_a_wrong_token(self):
        url = self.relay.invite_machine("boxd")
        token = url.split("/")[3].split("#")[0]
        self.refuse(self.agent("boxd"), url.replace(token, token[::-1]), r"(?i)token|invite")

    def test_an_invite_for_the_other_kind_is_not_used_up(self):
        agent = self.agent("boxkind")
        client = Client(self.world, "kim", self.relay, admin=True, join=False)
        machines, people = self.relay.invite_machine("boxkind"), client.invite()
        self.refuse(agent, people, r"for a person.*invite machine NAME")
        refused = client.run("join", machines)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"for a machine.*invite user NAME")
        self.assertNotIn("boxkind", self.relay.machines())
        self.assertNotIn("kim", self.relay.ctl("user", "list"))
        done = agent.try_join(machines)
        self.assertEqual(done.returncode, 0, done.stderr)
        client.do("join", people)
        self.assertEqual(client.json("whoami")["name"], "kim")

    def test_a_withdrawn_invite(self):
        url = self.relay.invite_machine("boxw")
        [invite] = [i for i in json.loads(self.relay.ctl("invite", "list", "--json")) if i["name"] == "boxw"]
        self.relay.ctl("invite", "remove", str(invite["id"]))
        self.refuse(self.agent("boxw"), url, r"(?i)token|invite")

    def test_a_url_cut_short_or_bent(self):
        url = self.relay.invite_machine("boxe")
        agent = self.agent("boxe")
        token = url.split("/")[3].split("#")[0]
        for cut in (url[:-1], url[:-20], url.split("#")[0], url.split("#")[0] + "#", url.split(token)[0],
                    url.split(token)[0][:-1], "sallyport://", "sallyport:", "", "http" + url[len("sallyport"):],
                    url.replace(f":{self.relay.port}/", ":99999/"), url.replace(f":{self.relay.port}/", ":x/"),
                    url.replace("localhost", ""), url + "\n" + url, url * 100):
            self.refuse(agent, cut)
        # None of these attempts may have used it up.
        done = agent.try_join(url)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_another_host_key(self):
        url = self.relay.invite_machine("boxf")
        head, fingerprint = url.split("#SHA256:")
        other = fingerprint[1:] + fingerprint[0]
        said = self.refuse(self.agent("boxf"), f"{head}#SHA256:{other}", r"(?i)key")
        self.assertIn(fingerprint, said)
        self.assertIn(other, said)
        self.assertEqual(self.agent("boxf").try_join(url).returncode, 0, "the token went to a stranger")

    def test_a_running_agent_refuses_another_host_key(self):
        relay = Relay(self.world, name="relay-before")
        agent = Agent(self.world, "boxk", relay, f"[service ssh]\nport = {self.sshd.port}\n")
        agent.join()
        agent.start("ssh")
        relay.process.stop()
        shutil.rmtree(relay.state)
        relay.state.mkdir(mode=0o700)
        relay.start()
        agent.process.wait_line(r"(?i)host key", 60)
        self.assertNotEqual(agent.status()["state"], "connected")
        relay.process.stop()

    def test_nobody_there(self):
        url = self.relay.invite_machine("boxg").replace(f":{self.relay.port}/", ":1/")
        self.refuse(self.agent("boxg"), url, r"(?i)refused|connect")

    def test_a_silent_relay(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = self.relay.invite_machine("boxh").replace(f":{self.relay.port}/", f":{silent.getsockname()[1]}/")
            self.refuse(self.agent("boxh"), url)

    def test_joined_already(self):
        agent = self.agent("boxi")
        agent.join()
        self.refuse(agent, self.relay.invite_machine("boxj"), r"(?i)leave")

    def test_leave(self):
        agent = self.agent("boxl")
        agent.join()
        done = run([AGENT, "leave", "--state", agent.state])
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run([AGENT, "run", "--state", agent.state, "--config", agent.config])
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)join")
        agent.join()
        agent.start("ssh")

    def test_run_and_status_before_join(self):
        agent = self.agent("boxm")
        for words in (["run", "--config", agent.config], ["status"], ["leave"]):
            done = run([AGENT, words[0], "--state", agent.state, *words[1:]])
            self.assertEqual(done.returncode, 1, words)
            self.assertRegex(done.stderr, r"(?i)join|running", words)

    def test_installed_anew_with_the_same_name(self):
        self.agent("boxn").join()
        again = self.agent("boxn-anew")
        again.name = "boxn"
        again.join()
        again.start("ssh")

    def test_a_person_joins_with_a_stock_ssh(self):
        token = self.relay.invite_user("carol")
        carol = Person(self.world, "carol", self.relay, self.sshd, known=False)
        def join(person, text, *words):
            return person.ssh("-T", "-l", "join", "relay", *words, input=text + "\n")
        wrong = join(carol, token[::-1])
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("error", json.loads(wrong.stdout.splitlines()[0]))
        done = join(carol, token)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout.splitlines()[0]),
                         {"joined": "user", "name": "carol", "role": "member"})
        self.assertEqual(carol.verb("whoami").returncode, 0)
        mallory = Person(self.world, "mallory", self.relay, known=False)
        used = join(mallory, token)
        self.assertEqual(used.returncode, 1)
        self.assertRegex(json.loads(used.stdout.splitlines()[0])["error"], r"(?i)used")
        self.assertEqual(mallory.ssh("-l", "carol", "relay", "whoami").returncode, 255)

    def test_join_serves_nothing_else(self):
        stranger = Person(self.world, "stranger", self.relay, known=False)
        self.assertNotEqual(stranger.ssh("-l", "join", "relay", "list").returncode, 0)
        done = stranger.ssh("-l", "join", "-W", "boxa:22", "relay")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("SSH-2.0", done.stdout)
        done = stranger.ssh("-l", "join", "-N", "-R", "ssh:22:localhost:22", "relay")
        self.assertNotEqual(done.returncode, 0)

    def test_tokens_are_not_kept_in_the_clear(self):
        url = self.relay.invite_machine("boxp")
        token = url.split("/")[3].split("#")[0].encode()
        for file in self.relay.state.iterdir():
            if file.is_file():
                self.assertNotIn(token, file.read_bytes(), file.name)
        self.assertNotIn(token.decode(), self.relay.process.text())


if __name__ == "__main__":
    unittest.main()
