"""A machine's link spoken by hand, over a stock ssh, so that a test can say what no agent would."""
import json
import os
import select
import subprocess
import time

from .process import STRETCH


class Link:
    """`ssh -s ... sallyport` as a pair of pipes."""

    def __init__(self, argv):
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.kept = b""

    def send_bytes(self, data):
        try:
            self.popen.stdin.write(data)
            self.popen.stdin.flush()
        except BrokenPipeError:
            pass

    def send(self, **message):
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def line(self, timeout=20.0):
        """The next line as an object; None at the end of the link."""
        deadline = time.monotonic() + timeout * STRETCH
        descriptor = self.popen.stdout.fileno()
        while b"\n" not in self.kept:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no line on the link within {timeout * STRETCH:.0f} s; so far: {self.kept!r}")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return None
            self.kept += chunk
        first, self.kept = self.kept.split(b"\n", 1)
        return json.loads(first)

    def until(self, kind, timeout=20.0):
        """The next line of that kind; None at the end of the link."""
        while (message := self.line(timeout)) is not None:
            if message.get("kind") == kind:
                return message
        return None

    def settle(self, timeout=20.0):
        """Waits until the relay has taken all that was sent; what it says meanwhile is lost."""
        self.send(kind="ping", n=77)
        while (pong := self.until("pong", timeout)) is not None and pong["n"] != 77:
            pass

    def ended(self, timeout=20.0):
        """Whether the relay closes the link; what it says before is returned."""
        said = []
        while (message := self.line(timeout)) is not None:
            said.append(message)
        return said

    def close(self):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass  # the relay was first
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()
