"""A relay that has gone bad: it hands the client addresses that are none of the machine's, and other people's keys."""
import json
import socket
import threading
import time
import unittest

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from lib import STRETCH, Agent, Case, Relay, Sshd, wait_for
from lib.client import LAN_ADDRESS, Client, lan
from lib.door import decode, encode


class BadRelay:
    """Answers questions at a relay's door with the client's own secret, as only that relay can, and nothing else."""

    def __init__(self, port, ask_key):
        self.cipher = ChaCha20Poly1305(decode(ask_key))
        self.answer = b"{}"
        self.questions = 0
        self.socket = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                there = self.socket.accept()[0]
            except OSError:
                return  # closed
            with there:
                there.settimeout(20 * STRETCH)
                try:
                    self._talk(there)
                except OSError:
                    pass

    def _talk(self, there):
        line = b""
        while not line.endswith(b"\n"):
            more = there.recv(1)
            if not more:
                return
            line += more
        words = line.decode("ascii", "replace").split()
        if words[:2] != ["SALLY1", "ask"]:
            return
        sealed = decode(words[2].split(".")[1])
        self.cipher.decrypt(sealed[:12], sealed[12:], b"sallyport ask 1")
        self.questions += 1
        nonce = bytes(range(12))
        said = nonce + self.cipher.encrypt(nonce, self.answer, b"sallyport answer 1" + sealed[:12])
        there.sendall(f"SALLY1 ok {encode(said)}\n".encode())
        there.recv(1)  # until the client is done

    def close(self):
        self.socket.close()


class Trap:
    """Somebody else's port, which counts who comes."""

    def __init__(self):
        self.visits = 0
        self.socket = socket.create_server(("0.0.0.0", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return  # closed
            self.visits += 1

    def close(self):
        self.socket.close()


@unittest.skipUnless(lan(), "only in a network of its own")
class Foreign(Case):
    @classmethod
    def begin(cls):
        cls.sshd = Sshd(cls.world, "box-sshd", more=f"ListenAddress {LAN_ADDRESS}")
        cls.relay = Relay(cls.world)
        cls.agent = Agent(cls.world, "box1", cls.relay, f"[service ssh]\nport = {cls.sshd.port}\n")
        cls.agent.join()
        cls.agent.start("ssh")
        cls.relay.wait_online("box1", "ssh")
        cls.other = Sshd(cls.world, "other-sshd", more=f"LogLevel VERBOSE\nListenAddress {LAN_ADDRESS}")
        cls.client = Client(cls.world, "frida", cls.relay, cls.sshd, admin=True)
        cls.other.authorize(cls.client.key)
        wait_for("the first login", lambda: cls.client.run("ssh", "box1", "true").returncode == 0)
        cls.relay.process.stop()
        cls.agent.process.stop()  # it looks at all ports here, also at the trap
        cls.bad = BadRelay(cls.relay.port, (cls.client.state / "ask_key").read_text(encoding="ascii").strip())
        cls.world.at_end(cls.bad.close)

    def setUp(self):
        (self.client.state / "routes.json").unlink(missing_ok=True)

    def tell(self, *ways, keys=None):
        """What the bad relay says from now on."""
        key = keys or " ".join(self.world.public(self.sshd.host_key).split()[:2])
        self.bad.answer = json.dumps({
            "box": "box1", "service": "ssh", "kind": "ssh", "port": 22, "ways": list(ways), "knock": encode(bytes(16)),
            "door_ticket": encode(bytes(100)), "relay_ticket": encode(bytes(100)), "host_keys": [key],
            "observed_address": "192.0.2.9", "server_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}).encode()

    def refused(self):
        before = self.bad.questions
        done = self.client.run("ssh", "-v", "box1", "echo inside")
        self.assertGreater(self.bad.questions, before, done.stderr)
        self.assertNotEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_addresses_of_nobody_else_s_business_are_left_alone(self):
        trap = Trap()
        self.addCleanup(trap.close)
        for route, address in (("direct", LAN_ADDRESS), ("direct", "127.0.0.1"), ("lan", "127.0.0.1"), ("lan", "0.0.0.0"),
                               ("direct", "::ffff:127.0.0.1"), ("lan", "::1"), ("lan", "169.254.1.1")):
            with self.subTest(route=route, address=address):
                for place in ("door", "sshd"):
                    self.tell({"route": route, "address": address, "port": trap.port, "to": place})
                    self.refused()
        self.assertEqual(trap.visits, 0)
        # The trap works: an address of this network may be tried, and gets no further than a knock.
        self.tell({"route": "lan", "address": LAN_ADDRESS, "port": trap.port, "to": "door"})
        self.refused()
        wait_for("the trap to be sprung", lambda: trap.visits == 1)

    def test_another_ssh_server_gets_no_login(self):
        way = {"route": "lan", "address": LAN_ADDRESS, "port": self.other.port, "to": "sshd"}
        self.tell(way | {"port": self.sshd.port})
        done = self.client.run("ssh", "box1", "echo inside")
        self.assertEqual((done.returncode, done.stdout), (0, "inside\n"), done.stderr)
        self.tell(way)
        self.assertRegex(self.refused(), r"(?i)host key|identification")
        # Nor does a relay get through with that server's keys, once the client has seen the right ones.
        self.tell(way, keys=" ".join(self.world.public(self.other.host_key).split()[:2]))
        self.assertIn("sallyport trust box1", self.refused())
        self.assertNotIn("publickey", self.other.process.text())


if __name__ == "__main__":
    unittest.main()
