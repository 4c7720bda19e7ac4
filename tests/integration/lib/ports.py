"""Free TCP ports that no other test takes, and small servers on them."""
import errno
import hashlib
import os
import random
import socket
import threading


def free_port():
    """A port below the range that outgoing connections use, so nobody gets it by accident. Held for this process by an
    abstract socket of the same number, which needs no file and dies with us."""
    for port in random.sample(range(20000, 32000), 2000):
        guard = socket.socket(socket.AF_UNIX)
        try:
            guard.bind(f"\0sallyport-test-port-{port}")
        except OSError:
            guard.close()
            continue
        if _is_free(port):
            guard.detach()
            return port
        guard.close()
    raise RuntimeError("no free port")


def _is_free(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


class Server:
    """A TCP server on loopback, one thread a connection; `serve(connection, server)` is one of the functions below."""

    def __init__(self, serve, port=None, host="127.0.0.1"):
        self.serve = serve
        self.host = host
        self.port = port or free_port()
        self.sent = 0  # bytes handed out by pour()
        self.taken = []  # what collect() got, one item a connection
        self.open = 0
        self.accepted = 0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.connections = []
        self.listener = socket.create_server((host, self.port), backlog=512,
                                             family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.append(connection)
                self.open += 1
                self.accepted += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            self.serve(connection, self)
        except OSError:
            pass
        finally:
            connection.close()
            with self.lock:
                self.open -= 1
                if connection in self.connections:
                    self.connections.remove(connection)

    def close(self):
        self.ended.set()
        # Closing a listener does not wake an accept() that sleeps in it; shutting it down does.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def echo(connection, _server):
    while chunk := connection.recv(65536):
        connection.sendall(chunk)


def digest_at_end(connection, _server):
    """Answers only after the other side has said that it sends no more."""
    digest = hashlib.sha256()
    while chunk := connection.recv(65536):
        digest.update(chunk)
    connection.sendall(digest.hexdigest().encode())


def greet_then_collect(connection, server):
    """Says its last word first, closes that direction, and goes on listening."""
    connection.sendall(b"that is all from me")
    connection.shutdown(socket.SHUT_WR)
    taken = b""
    while chunk := connection.recv(65536):
        taken += chunk
    server.taken.append(taken)


def pour(connection, server):
    """Sends without end, whether anybody reads or not."""
    chunk = os.urandom(65536)
    while not server.ended.is_set():
        n = connection.send(chunk)
        with server.lock:
            server.sent += n


def deaf(_connection, server):
    """Accepts and never reads."""
    server.ended.wait()
