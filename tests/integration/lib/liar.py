"""A hostile machine: a server of HTTP that is none."""
import socket
import struct


class Liar:
    """A machine's server that says what it was told to, whatever was asked."""

    def __init__(self, world):
        self.scripts = {}  # by target: a list of bytes, numbers (seconds to wait), or a function of the connection
        self.asked = []
        self.server = world.serve(self._serve)
        self.port = self.server.port

    def tell(self, *script):
        """The target at which it does this."""
        target = f"/lie-{len(self.scripts)}"
        self.scripts[target] = script
        return target

    def _serve(self, connection, server):
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = connection.recv(65536)
            if not chunk:
                return
            head += chunk
        target = head.split(b" ")[1].decode()
        self.asked.append(target)
        for step in self.scripts.get(target, [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]):
            if isinstance(step, bytes):
                connection.sendall(step)
            elif callable(step):
                step(connection, server)
            else:
                server.ended.wait(step)


def stay(connection, _server):
    """Neither closes nor says more, until the other side closes."""
    while connection.recv(65536):
        pass


def reset(connection, _server):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def endless(first, piece):
    def run(connection, server):
        connection.sendall(first)
        while not server.ended.is_set():
            connection.sendall(piece)
    return run
