"""The door spoken by hand (docs/PROTOCOL.md section 7): lines, sealed questions, and a machine without an agent."""
import base64
import hashlib
import json
import os
import socket
import threading
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .link import Link
from .process import STRETCH
from .world import Person


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_print(public):
    """SHA-256 of the blob of a line as in a .pub file, in base64url."""
    return encode(hashlib.sha256(base64.b64decode(public.split()[1])).digest())


class Door:
    """A connection to a door."""

    def __init__(self, port, host="127.0.0.1", timeout=20.0, source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout * STRETCH, source_address=source)
        self.nonce = b""

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()

    def close(self):
        self.socket.close()

    def say(self, mode, argument, behind=b""):
        self.socket.sendall(f"SALLY1 {mode} {argument}\n".encode() + behind)

    def line(self):
        """One line of an answer, and no byte behind it; "" when the door closes without one."""
        said = b""
        while not said.endswith(b"\n"):
            try:
                byte = self.socket.recv(1)
            except ConnectionResetError:
                byte = b""
            if not byte:
                return said.decode()
            said += byte
        return said.decode().rstrip("\n")

    def tell(self, mode, argument):
        self.say(mode, argument)
        return self.line()

    def seal(self, ask_key, public, question):
        """The argument of `ask`."""
        self.nonce = os.urandom(12)
        text = question if isinstance(question, bytes) else json.dumps(question).encode()
        sealed = ChaCha20Poly1305(decode(ask_key)).encrypt(self.nonce, text, b"sallyport ask 1")
        return f"{key_print(public)}.{encode(self.nonce + sealed)}"

    def open(self, ask_key, line):
        """What an answer to the latest question says; an AssertionError when it is none."""
        if not line.startswith("SALLY1 ok "):
            raise AssertionError(f"no answer: {line!r}")
        sealed = decode(line[len("SALLY1 ok "):])
        try:
            text = ChaCha20Poly1305(decode(ask_key)).decrypt(sealed[:12], sealed[12:],
                                                             b"sallyport answer 1" + self.nonce)
        except InvalidTag as error:
            raise AssertionError("the answer is sealed for somebody else") from error
        return json.loads(text)

    def ask(self, ask_key, public, **question):
        return self.open(ask_key, self.tell("ask", self.seal(ask_key, public, question)))

    def rest(self, n):
        """Exactly n bytes."""
        said = b""
        while len(said) < n:
            chunk = self.socket.recv(min(65536, n - len(said)))
            if not chunk:
                raise AssertionError(f"the end after {len(said)} of {n} bytes")
            said += chunk
        return said

    def is_closed(self):
        """Reads to the end; whether nothing came before it."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class HandMachine:
    """A machine that is a stock ssh: it publishes services, and speaks the link as the test wants it to. `wrap` turns
    the command line into one that runs elsewhere."""

    def __init__(self, world, name, relay, forwards=("ssh:22:127.0.0.1:9",), host_keys=(), wrap=list, **hello):
        self.name = name
        self.relay = relay
        self.verified = []
        self.person = Person(world, name, relay, known=False)
        if name not in relay.machines():
            relay.ctl("machine", "add", name, world.public(self.person.key))
        words = [word for forward in forwards for word in ("-R", forward)]
        self.link = Link(wrap(self.person.argv("-T", "-s", *words, "relay", "sallyport")))
        world.at_end(self.link.close)
        self.link.send(kind="hello", protocol=1, name=name, ssh_host_keys=list(host_keys), **hello)
        self.welcome = self.link.until("welcome")
        threading.Thread(target=self._live, daemon=True).start()
        relay.wait_online(name, *[forward.split(":")[0] for forward in forwards])

    def _live(self):
        """Nobody who says nothing for 18 s is there."""
        while self.link.popen.poll() is None:
            try:
                self.link.send(kind="ping", n=0)
            except (OSError, ValueError):
                return  # closed
            time.sleep(5)

    def reach(self, **more):
        """Says where its door is, and waits until the relay has heard it; what it found at once is kept."""
        said = {"fetch": True, "door_key": encode(bytes(32)), "knock": encode(bytes(16)), "candidates": []} | more
        self.verified.clear()
        self.link.send(kind="reach", **said)
        self.link.send(kind="ping", n=1)
        while (message := self.link.line()).get("n") != 1:
            if message["kind"] == "verify":
                self.verified.append(message)

    def verify(self, timeout=20.0):
        """The next `verify` since the latest `reach`."""
        return self.verified.pop(0) if self.verified else self.link.until("verify", timeout)

    def fetch(self, ticket, **where):
        """Comes to the relay's door with a ticket: the door and its answer."""
        door = Door(self.relay.port, **where)
        return door, door.tell("serve", ticket)
