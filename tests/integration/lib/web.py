"""A browser spoken by hand: HTTP/1.1 byte by byte, over TLS or plain; one-time logins, hops to services, cookies."""
import re
import socket
import ssl

from .process import STRETCH

COOKIE = "__Host-sallyport"
# Made once: a client that takes its time between connecting and its first byte is taken for an SSH client.
_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE


class Answer:
    """A response: `fields` as they came, one pair each, in their order."""

    def __init__(self, status, fields, version="HTTP/1.1"):
        self.status = status
        self.fields = fields
        self.version = version
        self.body = b""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=""):
        return (self.all(name) or [default])[0]

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Wire:
    """One connection to the relay. Nothing is added to what is sent, and little is forgiven in what comes back."""

    def __init__(self, port, tls=True, source="127.0.0.1", name="localhost", timeout=30.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout * STRETCH,
                                               source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = _CONTEXT.wrap_socket(self.socket, server_hostname=name)
        self.kept = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def half_close(self):
        """Without TLS only: we send no more, but listen."""
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        """Whether more bytes came; not at the end, nor when the relay resets the connection."""
        try:
            chunk = self.socket.recv(262144)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            return False
        self.kept += chunk
        return bool(chunk)

    def some(self):
        """Whatever is there, at least a byte; b"" at the end."""
        if not self.kept:
            self.more()
        data, self.kept = self.kept, b""
        return data

    def take(self, n):
        while len(self.kept) < n:
            if not self.more():
                raise EOFError(f"closed after {len(self.kept)} of {n} bytes: {self.kept[:200]!r}")
        data, self.kept = self.kept[:n], self.kept[n:]
        return data

    def until(self, mark):
        while mark not in self.kept:
            if len(self.kept) > 1 << 20 or not self.more():
                raise EOFError(f"no {mark!r} in {self.kept[:200]!r}")
        data, self.kept = self.kept.split(mark, 1)
        return data

    def rest(self):
        """All that comes until the relay closes."""
        while self.more():
            pass
        data, self.kept = self.kept, b""
        return data

    def ended(self):
        """Whether the relay has closed without another byte; waits for it."""
        return not self.kept and not self.more()

    def head(self):
        """The next response head; EOFError when the connection ends before."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        match = re.fullmatch(r"(HTTP/1\.[01]) (\d{3}) ?[ -~]*", lines[0])
        if not match:
            raise AssertionError(f"no status line: {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or "\n" in value or "\r" in value:
                raise AssertionError(f"no header: {line!r}")
            fields.append((name, value.strip(" \t")))
        return Answer(int(match.group(2)), fields, match.group(1))

    def pieces(self, answer, method="GET"):
        """The body after that head, as it comes."""
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return
        lengths, codings = answer.all("Content-Length"), answer.all("Transfer-Encoding")
        if len(lengths) + len(codings) > 1:
            raise AssertionError(f"framed twice: {answer.fields}")
        if codings:
            if codings != ["chunked"]:
                raise AssertionError(f"framed as {codings}")
            yield from self._chunks()
        elif lengths:
            left = int(lengths[0])
            while left:
                if not self.kept and not self.more():
                    raise EOFError(f"{left} bytes are missing")
                piece, self.kept = self.kept[:left], self.kept[left:]
                left -= len(piece)
                yield piece
        else:
            while piece := self.some():
                yield piece

    def _chunks(self):
        while True:
            line = self.until(b"\r\n")
            if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
                raise AssertionError(f"no chunk size: {line!r}")
            size = int(line, 16)
            if not size:
                break
            yield self.take(size)
            if self.take(2) != b"\r\n":
                raise AssertionError("a chunk without its end")
        if self.until(b"\r\n"):
            raise AssertionError("trailers came through")

    def answer(self, method="GET", final=True):
        """A whole response. `final`: those of 1xx before it are passed over (101 is final)."""
        answer = self.head()
        while final and answer.status < 200 and answer.status != 101:
            answer = self.head()
        answer.body = b"".join(self.pieces(answer, method))
        return answer


def request(method, target, host, fields=(), body=b""):
    """A request's bytes; the length is given when there is a body or the method wants one."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Visitor:
    """Somebody's browser: cookies by host name. `service` is MACHINE--SERVICE; None is the relay itself."""

    def __init__(self, relay, tls=True, source="127.0.0.1"):
        self.relay = relay
        self.tls = tls
        self.source = source
        self.cookies = {}

    def host(self, service=None):
        return f"{service}.localhost:{self.relay.port}" if service else f"localhost:{self.relay.port}"

    def origin(self, service=None):
        return f"{'https' if self.tls else 'http'}://{self.host(service)}"

    def wire(self, service=None, **how):
        return Wire(self.relay.port, tls=self.tls, source=self.source,
                    name=f"{service}.localhost" if service else "localhost", **how)

    def request(self, target, service=None, method="GET", fields=(), body=b"", origin="own", cookie="own"):
        """The bytes of a request as this browser would send it. `origin`, `cookie`: another one, or None."""
        more = []
        if cookie == "own":
            cookie = self.cookies.get(service)
        if cookie:
            more.append(("Cookie", cookie))
        if origin == "own":
            origin = self.origin(service) if method not in ("GET", "HEAD") else None
        if origin:
            more.append(("Origin", origin))
        return request(method, target, self.host(service), [*more, *fields], body)

    def ask(self, target, service=None, method="GET", **how):
        """One request on a connection of its own. Session cookies that come are kept."""
        with self.wire(service) as wire:
            wire.send(self.request(target, service, method, **how))
            answer = wire.answer(method)
        for value in answer.all("Set-Cookie"):
            pair = value.split(";")[0]
            if pair.startswith(COOKIE + "="):
                self.cookies[service] = pair
                if pair == COOKIE + "=":
                    del self.cookies[service]
        return answer

    def link(self, person):
        """The path of a new one-time login."""
        done = person.verb("login")
        match = re.search(r"https?://\S*?(/login/[A-Za-z0-9_-]{43})", done.stdout)
        if not match:
            raise AssertionError(f"no link: {done.stdout}{done.stderr}")
        return match.group(1)

    def log_in(self, person):
        answer = self.ask(self.link(person))
        if answer.status not in (302, 303) or None not in self.cookies:
            raise AssertionError(f"not logged in: {answer.status} {answer.fields} {answer.text[:500]}")
        return self

    def code(self, service, to="/"):
        """The first half of a hop: the path on the service's host that the relay sends the browser to."""
        machine, name = service.split("--")
        answer = self.ask(f"/open/{machine}/{name}?to={to}")
        start = self.origin(service) + "/.sallyport/enter/"
        if answer.status not in (302, 303) or not answer.get("Location").startswith(start):
            raise AssertionError(f"no hop: {answer.status} {answer.fields} {answer.text[:500]}")
        return answer.get("Location")[len(self.origin(service)):]

    def enter(self, service, to="/"):
        """The whole hop; this browser has a session on the service's host then."""
        answer = self.ask(self.code(service, to), service)
        if answer.status not in (302, 303) or service not in self.cookies:
            raise AssertionError(f"not let in: {answer.status} {answer.fields} {answer.text[:500]}")
        return answer
