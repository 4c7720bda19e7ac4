"""What tests of the proxy share: an application and a framework's on a machine, and a browser that may reach them."""
import hashlib
import json

from .app import App, digest
from .framework import Framework
from .process import SANITIZED
from .web import Visitor
from .world import Case, Person

BIG = (40 if SANITIZED else 200) << 20
# What a connection may cost the relay, however much flows through it.
MEMORY = 20 << 20


class Proxy(Case):
    tls = True

    @classmethod
    def begin(cls):
        cls.app = App(cls.world)
        cls.framework = Framework(cls.world)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(
            f"[service app]\nport = {cls.app.port}\nkind = http\n"
            f"[service board]\nport = {cls.framework.port}\nkind = http\n")
        cls.relay.wait_online("box1", "ssh", "app", "board")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.browser = Visitor(cls.relay, tls=cls.tls).log_in(cls.alice)
        cls.browser.enter("box1--app")
        cls.browser.enter("box1--board")
        cls.world.at_end(cls.app.gate.set)
        cls.world.at_end(lambda: cls.app.steps.release(100))

    def setUp(self):
        self.app.gate.clear()
        self.addCleanup(self.app.gate.set)

    def ask(self, target, service="box1--app", **how):
        return self.browser.ask(target, service, **how)

    def wire(self, service="box1--app"):
        wire = self.browser.wire(service, timeout=120)
        self.addCleanup(wire.close)
        return wire

    def echo(self, **how):
        answer = self.ask("/echo", **how)
        self.assertEqual(answer.status, 200, answer.text)
        return json.loads(answer.text)

    def check_memory(self, before):
        if not SANITIZED:
            self.assertLess(self.relay.process.peak() - before, MEMORY)

    def measure(self):
        """The relay's memory now, and from now on its highest."""
        self.relay.process.reset_peak()
        return self.relay.process.memory()

    def check_big(self, wire, answer, n=BIG):
        """The body is that of /big."""
        sha, length = hashlib.sha256(), 0
        for piece in wire.pieces(answer):
            sha.update(piece)
            length += len(piece)
        self.assertEqual((length, sha.hexdigest()), (n, digest(n)))
