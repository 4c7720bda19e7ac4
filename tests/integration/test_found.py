"""What else runs on a machine: recognised, shown as found, reached by nobody until an admin publishes it, and after it
is published no more."""
import json
import os
import time
import unittest

from lib import STRETCH, Agent, Case, Person, Relay, wait_for
from lib.apps import APPS, Application
from lib.web import Visitor


class Found(Case):
    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.browser = Visitor(cls.relay).log_in(cls.alice)
        cls.token = cls.alice.verb("key", "add", "--api", "test").stdout.strip().split()[-1]

    def start(self, name, **how):
        app = Application(self.world, name, **how)
        self.addCleanup(app.stop)
        return app

    def told(self, port, person=None):
        """The service on that port, as `list --json` has it; {} when it has none."""
        listed = (person or self.alice).verb("list", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        services = json.loads(listed.stdout)[0]["services"]
        return next((service for service in services if service["port"] == port), {})

    def wait_state(self, port, state):
        def service():
            return next((one for one in self.relay.machine("box1")["services"] if one["port"] == port), {})
        wait_for(f"port {port} to be {state}", lambda: service().get("state") == state, 40)
        return self.told(port)

    def api(self, method, service, token=None, machine="box1"):
        fields = [("Authorization", f"Bearer {token or self.token}")]
        return Visitor(self.relay).ask(f"/api/v1/machines/{machine}/services/{service}", None, method, fields=fields)

    def through_ssh(self, port):
        """What `ssh -W` brings of the service's first page; the reason when it brings nothing."""
        done = self.alice.ssh("-W", f"box1:{port}", "relay", input="GET /quiet-no HTTP/1.0\r\n\r\n", timeout=60)
        return done.stdout + done.stderr

    def page(self, service):
        """Its answer to the browser's GET of a page that there is not, over https."""
        if service not in self.browser.cookies:
            self.browser.enter(service)
        return self.browser.ask("/no-such-page", service, fields=[("Accept", "text/html")])

    def test_a_life(self):
        """Found, published, kept over a restart of the agent, and taken back."""
        app = self.start("tensorboard")
        service = self.wait_state(app.port, "found")
        name = service["name"]
        self.assertRegex(name, f"^tensorboard(-{app.port})?$")
        self.assertEqual((service["kind"], service["changeable"]), ("http", True))
        self.assertRegex(service["detail"], r"^TensorBoard 2\.15\.1( \(\S+\))?, /logs$")

        self.assertIn("not published", self.through_ssh(app.port))
        answer = self.page(f"box1--{name}")
        self.assertEqual(answer.status, 403)
        self.assertIn("not published", answer.text)
        self.assertEqual(self.page(f"box1--{name}").status, 403)
        asked = self.alice.verb("ticket", f"box1/{name}")
        self.assertIn("not published", asked.stdout + asked.stderr)

        done = self.alice.verb("publish", "box1", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.wait_state(app.port, "up")["changeable"])
        self.assertIn("404 Not Found", self.through_ssh(app.port))
        self.assertEqual(self.page(f"box1--{name}").status, 404)
        self.assertIn("published already", self.alice.verb("publish", "box1", name).stderr)

        self.agent.process.stop()
        self.agent.start("ssh", name)
        self.assertEqual(self.page(f"box1--{name}").status, 404)

        stream = self.browser.wire(f"box1--{name}", timeout=60)
        self.addCleanup(stream.close)
        stream.send(self.browser.request("/quiet", f"box1--{name}"))
        self.assertEqual(stream.head().status, 200)
        self.assertIn(b"now quiet", stream.some())
        tunnel = self.alice.start("-W", f"box1:{app.port}", "relay")
        tunnel.stdin.write(b"GET /quiet HTTP/1.0\r\n\r\n")
        tunnel.stdin.flush()
        self.assertIn(b"200 OK", tunnel.stdout.readline())

        self.assertEqual(self.api("DELETE", name).status, 204)
        began = time.monotonic()
        self.wait_state(app.port, "found")
        self.assertLess(time.monotonic() - began, 10 * STRETCH)
        stream.rest()  # it ends, though nothing flows
        tunnel.wait(20 * STRETCH)
        self.assertIn("not published", self.through_ssh(app.port))
        self.assertEqual(self.page(f"box1--{name}").status, 403)
        self.agent.process.stop()
        self.agent.start("ssh")
        self.assertEqual(self.wait_state(app.port, "found")["name"], name)

    def test_something_else_on_the_port_is_not_published(self):
        app = self.start("mlflow")
        name = self.wait_state(app.port, "found")["name"]
        self.assertEqual(self.api("POST", name).status, 204)
        self.wait_state(app.port, "up")
        app.stop()
        other = self.start("private", answers={"/": "nobody is to see this"}, port=app.port)
        self.wait_state(app.port, "down")
        said = self.through_ssh(app.port)
        self.assertIn("down", said)
        self.assertEqual(self.page(f"box1--{name}").status, 503)
        self.assertNotIn(("GET", "/no-such-page", f"127.0.0.1:{app.port}"), other.asked)
        other.stop()
        self.start("mlflow", port=app.port)
        self.wait_state(app.port, "up")
        self.assertEqual(self.page(f"box1--{name}").status, 404)
        self.assertEqual(self.alice.verb("unpublish", "box1", name).returncode, 0)
        self.wait_state(app.port, "found")

    def test_all_that_are_known(self):
        """Each by its own name, the second one of a kind with its port; asked politely."""
        apps = [self.start(name) for name in APPS if name != "tensorboard"]
        second = self.start("ollama")
        html = self.start("vllm", answers={"/v1/models": {"object": "list", "data": [
            {"id": "<img src=x onerror=alert(1)>", "object": "model", "owned_by": "vllm"},
            {"id": "bad\u0007bell", "owned_by": "vllm"}]}})
        plain = self.start("plain", answers={"/": "hello"})
        for app in [*apps, second, html]:
            service = self.wait_state(app.port, "found")
            self.assertRegex(service["name"], f"^{app.name}(-{app.port})?$")
        self.assertEqual(self.told(plain.port), {})
        names = sorted(self.told(app.port)["name"] for app in (apps[2], second))
        self.assertEqual(self.told(second.port)["detail"].split(": ")[-1], "llama3:8b")
        self.assertEqual(len(set(names)), 2)
        self.assertIn("<img src=x onerror=alert(1)> and 1 more", self.told(html.port)["detail"])
        for app in [*apps, second, html, plain]:
            self.assertLessEqual(len(app.asked), 8, app.asked)
            for method, _, host in app.asked:
                self.assertEqual((method, host), ("GET", f"127.0.0.1:{app.port}"))
        status = self.agent.try_status().stdout
        self.assertRegex(status, r"ollama\S* +http +port \d+ +found +Ollama 0\.5\.1")

    def test_who_sees_it_and_who_may_publish(self):
        app = self.start("streamlit")
        name = self.wait_state(app.port, "found")["name"]
        bob, carol = Person(self.world, "bob", self.relay), Person(self.world, "carol", self.relay)
        self.relay.ctl("grant", "bob", f"box1/{name}")
        self.relay.ctl("grant", "carol", "box1")
        self.assertEqual(self.told(app.port, bob), {})
        self.assertEqual(self.told(app.port, carol)["state"], "found")
        self.assertEqual(carol.verb("publish", "box1", name).returncode, 1)
        token = carol.verb("key", "add", "--api", "test").stdout.strip().split()[-1]
        self.assertEqual(self.api("POST", name, token).status, 403)
        self.assertEqual(self.told(app.port)["state"], "found")
        for method in ("POST", "DELETE"):
            self.assertEqual(self.api(method, "ssh").status, 409)
            self.assertEqual(self.api(method, "no-such").status, 404)
            self.assertEqual(self.api(method, "..%2f").status, 404)
            self.assertEqual(self.api(method, name, machine="box9").status, 404)
        self.assertIn("no service 'nix'", self.alice.verb("publish", "box1", "nix").stderr)
        self.assertIn("was not published from here", self.alice.verb("unpublish", "box1", "ssh").stderr)
        self.assertIn("only found", self.alice.verb("unpublish", "box1", name).stderr)


class Configured(Case):
    """What the machine's own configuration says comes first, and what an agent finds counts, not what it is told."""

    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)

    def start(self, name, **how):
        app = Application(self.world, name, **how)
        self.addCleanup(app.stop)
        return app

    def test_the_configuration_decides(self):
        relay = self.relay
        alice = Person(self.world, "alice", relay, admin=True)
        known, hidden, free = (self.start(name) for name in ("tensorboard", "gradio", "ray"))
        config = (f"publish = config\n[service board]\nport = {known.port}\nkind = http\n"
                  "[service gradio]\npublish = no\n")
        agent = Agent(self.world, "box1", relay, config)
        agent.join()
        agent.start("board")
        self.addCleanup(agent.process.stop)

        def services():
            return {service["name"]: service for service in relay.machine("box1")["services"]}
        wait_for("ray to be found", lambda: "ray" in services(), 40)
        self.assertEqual(sorted(name for name in services() if name != "ssh"), ["board", "ray"])
        self.assertNotIn("changeable", services()["ray"])
        self.assertIn("its own configuration", alice.verb("publish", "box1", "ray").stderr)
        self.assertEqual(services()["ray"]["state"], "found")
        self.assertEqual(known.asked, [], "a configured port is nobody's to ask")
        self.assertTrue(hidden.asked and free.asked)
        agent.process.stop()
        relay.wait_offline("box1")
        self.assertIn("offline", alice.verb("publish", "box1", "ray").stderr)

    def test_a_file_of_what_is_published(self):
        """What it says counts only for what is recognised under that name; one that makes no sense is as good as none."""
        relay = self.relay
        plain, board = self.start("plain", answers={"/": "hello"}), self.start("tensorboard")
        agent = Agent(self.world, "box2", relay)
        agent.join()
        kept = agent.state / "published.json"
        entries = [{"name": "tensorboard", "port": plain.port, "uid": os.getuid()},
                   {"name": "gradio", "port": board.port, "uid": os.getuid()}]
        kept.write_text(json.dumps({"version": 1, "services": entries}))

        def states():
            return {(service["name"], service["port"]): service["state"]
                    for service in relay.machine("box2")["services"] if service["name"] != "ssh"}
        agent.start()
        lies = {("tensorboard", plain.port): "down", ("gradio", board.port): "down",
                (f"tensorboard-{board.port}", board.port): "found"}
        wait_for("all to be told", lambda: states() == lies, 40)
        agent.process.stop()
        kept.write_text("[" * 5000)
        agent.start()
        self.addCleanup(agent.process.stop)
        wait_for("the file to be of no account", lambda: states() == {("tensorboard", board.port): "found"}, 40)
        agent.process.wait_line("published.json makes no sense")

    def test_a_machine_that_does_not_know_the_order(self):
        """A link by hand: what the relay says on it, and that an answer of any kind does no harm."""
        relay = self.relay
        machine = Person(self.world, "box3", relay, known=False)
        relay.ctl("machine", "add", "box3", self.world.public(machine.key))
        link = machine.link()
        link.send(kind="hello", protocol=1, version="0.0.1", name="box3")
        self.assertIsNotNone(link.until("welcome"))
        link.send(kind="services", services=[
            {"name": "board", "kind": "http", "port": 6006, "state": "found", "changeable": True},
            {"name": "fixed", "kind": "http", "port": 6007, "state": "found"},
            {"name": "odd", "kind": "http", "port": 6008, "state": "found", "changeable": "yes", "detail": "\u0007"}])
        wait_for("them to be told", lambda: len(relay.machine("box3")["services"]) == 3)
        self.assertEqual(relay.try_ctl("publish", "box3", "board").returncode, 0)
        self.assertEqual(link.until("publish"),
                         {"kind": "publish", "service": "board", "port": 6006, "published": True})
        link.send(kind="unknown", of="publish")
        link.send(kind="error", text="I will not")
        for name in ("fixed", "odd"):
            refused = relay.try_ctl("publish", "box3", name)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("own configuration", refused.stderr)
        self.assertEqual([service["state"] for service in relay.machine("box3")["services"]], ["found"] * 3)


class Flood(Case):
    """A relay, or who has its rights, that gives orders without end."""

    def test_orders_without_end(self):
        relay, _, agent = self.world.relay_with_agent()
        alice = Person(self.world, "alice", relay, admin=True)
        token = alice.verb("key", "add", "--api", "test").stdout.strip()
        app = Application(self.world, "ollama")
        self.addCleanup(app.stop)

        def service():
            return next((one for one in relay.machine("box1")["services"] if one["port"] == app.port), {})
        wait_for("it to be found", lambda: service().get("state") == "found", 40)
        path = f"/api/v1/machines/box1/services/{service()['name']}"

        def order(method):
            return Visitor(relay).ask(path, None, method, fields=[("Authorization", f"Bearer {token}")]).status
        refused = "more than 60 orders in a minute"
        for count in range(200):
            if agent.process.text().count(refused):
                break
            # Whatever it is by now: the order is for one of the two states.
            self.assertIn(204, (order("POST"), order("DELETE")))
        self.assertGreaterEqual(count, 25)
        self.assertEqual(agent.process.text().count(refused), 1)


if __name__ == "__main__":
    unittest.main()
