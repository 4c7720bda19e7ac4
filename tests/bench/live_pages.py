"""Many browsers with the live page open: each its own user, session and TLS connection, all of them listening."""
import selectors
import ssl
import time

from cpu import exact_seconds


class Browsers:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.wires, self.seen = [], []

    def open(self, visitor):
        wire = visitor.wire()
        wire.send(visitor.request("/api/v1/events", fields=[("Accept", "text/event-stream")]))
        answer = wire.head()
        if answer.status != 200:
            raise RuntimeError(f"/api/v1/events: status {answer.status}")
        wire.socket.setblocking(False)
        self.selector.register(wire.socket, selectors.EVENT_READ, len(self.seen))
        self.wires.append(wire)
        self.seen.append(0)

    def read(self, seconds):
        """Takes what comes for so long, and counts the changes in it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                try:
                    while data := key.fileobj.recv(65536):
                        self.seen[key.data] += data.count(b"event: machine\n")
                    raise RuntimeError("the relay has closed a live page")
                except ssl.SSLWantReadError:
                    pass

    def close(self):
        for wire in self.wires:
            self.selector.unregister(wire.socket)
            wire.close()
        self.selector.close()


def watch(stand, visitors, seconds, change):
    """The stand's share of a core, and the memory for each browser, while `change()` is called each second."""
    def go_on(number_of_seconds):
        for _ in range(number_of_seconds):
            change()
            browsers.read(1)
    browsers = Browsers()
    before = stand.memory()
    try:
        for visitor in visitors:
            browsers.open(visitor)
        go_on(5)
        browsers.seen = [0] * len(browsers.seen)
        began, used = time.monotonic(), exact_seconds(stand.pid)
        go_on(seconds)
        share = (exact_seconds(stand.pid) - used) / (time.monotonic() - began)
        if min(browsers.seen) < seconds - 2:
            raise RuntimeError(f"a page has heard of {min(browsers.seen)} changes in {seconds} s")
        return share, (stand.memory() - before) / len(visitors)
    finally:
        browsers.close()
