"""A plain web application as it may run on a machine: an HTTP/1.1 server by hand, which can do what frameworks do not
let one do, and which remembers every byte that reached it."""
import collections
import hashlib
import itertools
import json
import random
import threading
import urllib.parse

BLOCK = 65536
KEPT = 16 << 20
_FILLING = random.Random(1).randbytes(BLOCK - 8)


def blocks(n):
    """n bytes of which no part can be lost, doubled or moved without showing."""
    for number in itertools.count():
        if n <= 0:
            return
        yield (number.to_bytes(8, "big") + _FILLING)[:n]
        n -= BLOCK


def digest(n):
    sha = hashlib.sha256()
    for block in blocks(n):
        sha.update(block)
    return sha.hexdigest()


class Request:
    def __init__(self, connection, head):
        lines = head.decode("latin-1").split("\r\n")
        self.connection = connection  # the number of it
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [(line.partition(":")[0], line.partition(":")[2].strip(" \t")) for line in lines[1:]]
        self.path, _, query = self.target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.length = 0
        self.digest = None

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name, default=""):
        return (self.all(name) or [default])[0]


class Taker:
    """The server's side of a connection, read with a memory."""

    def __init__(self, connection, app):
        self.connection = connection
        self.app = app
        self.kept = b""

    def more(self):
        chunk = self.connection.recv(BLOCK * 4)
        with self.app.lock:
            if len(self.app.raw) < KEPT:
                self.app.raw += chunk
        self.kept += chunk
        return bool(chunk)

    def head(self):
        while b"\r\n\r\n" not in self.kept:
            if not self.more():
                return None
        head, self.kept = self.kept.split(b"\r\n\r\n", 1)
        return head

    def line(self):
        while b"\r\n" not in self.kept:
            if not self.more():
                raise ConnectionError("cut off")
        line, self.kept = self.kept.split(b"\r\n", 1)
        return line

    def pieces(self, n):
        while n:
            if not self.kept and not self.more():
                raise ConnectionError("cut off")
            piece, self.kept = self.kept[:n], self.kept[n:]
            n -= len(piece)
            yield piece

    def body(self, request):
        sha = hashlib.sha256()
        for piece in self._body(request):
            request.length += len(piece)
            sha.update(piece)
        request.digest = sha.hexdigest()

    def _body(self, request):
        if request.get("Transfer-Encoding").lower() == "chunked":
            while size := int(self.line(), 16):
                yield from self.pieces(size)
                self.line()
            while self.line():
                pass
        else:
            yield from self.pieces(int(request.get("Content-Length", "0")))


class App:
    """Published as a service of kind http. What the agent asks when it looks for Jupyter is not remembered."""

    def __init__(self, world):
        self.lock = threading.Lock()
        self.requests = []
        self.raw = bytearray()
        self.sent = 0  # bytes of big bodies handed out
        self.gate = threading.Event()  # /wait answers once it is set
        self.steps = threading.Semaphore(0)  # each lets /events say one more
        self.vanished = collections.Counter()  # by target
        self.numbers = itertools.count(1)
        self.server = world.serve(self._serve)
        self.port = self.server.port

    def seen(self, path):
        """The requests for that path."""
        with self.lock:
            return [request for request in self.requests if request.path == path]

    def has(self, text):
        """Whether these bytes ever came."""
        with self.lock:
            return text in self.raw

    def _serve(self, connection, _server):
        number = next(self.numbers)
        taker = Taker(connection, self)
        for turn in itertools.count():
            head = taker.head()
            if head is None:
                return
            request = Request(number, head)
            if request.path != "/api":
                with self.lock:
                    self.requests.append(request)
            visit = Visit(self, request, taker, turn)
            page = getattr(visit, "do_" + request.path.strip("/").replace("-", "_"), visit.do_none)
            if not page() or request.version != "HTTP/1.1" or request.get("Connection").lower() == "close":
                return


class Visit:
    """One request. Each do_ is a page; it says whether the connection goes on."""

    def __init__(self, app, request, taker, turn):
        self.app = app
        self.request = request
        self.taker = taker
        self.turn = turn
        self.send = taker.connection.sendall

    def respond(self, status, body=b"", *fields):
        lines = [f"HTTP/1.1 {status}", *fields]
        if not status.startswith(("204", "304")):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        self.send(head + (b"" if self.request.method == "HEAD" else body))
        return True

    def say(self):
        """What came, as JSON."""
        request = self.request
        body = json.dumps({"method": request.method, "target": request.target, "fields": request.fields,
                           "length": request.length, "sha256": request.digest, "connection": request.connection})
        return self.respond("200 OK", body.encode(), "Content-Type: application/json")

    def do_none(self):
        self.taker.body(self.request)
        return self.respond("404 Not Found", b"nothing here\n")

    def do_echo(self):
        self.taker.body(self.request)
        return self.say()

    def do_page(self):
        return self.respond("200 OK", b"<!doctype html><title>app</title><p>the app", "Content-Type: text/html")

    def do_chunked(self):
        self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trail\r\n\r\n"
                  b"5;ext=\"a b\"\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\nX-Trail: gone\r\n\r\n")
        return True

    def do_early(self):
        """Answers before it has read the body, like a limit on uploads; reads no more than what came by then."""
        self.send(b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much")
        self.app.gate.wait(60)
        return False

    def do_big(self):
        n = int(self.request.query["n"])
        self.send(f"HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n".encode())
        if self.request.method != "HEAD":
            self._pour(blocks(n))
        return True

    def do_big_chunked(self):
        self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._pour(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks(int(self.request.query["n"])))
        self.send(b"0\r\n\r\n")
        return True

    def do_until_end(self):
        self.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        self._pour(blocks(int(self.request.query["n"])))
        return False

    def do_old(self):
        self.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nas in 1996")
        return False

    def _pour(self, pieces):
        for piece in pieces:
            self.send(piece)
            with self.app.lock:
                self.app.sent += len(piece)

    def do_no_content(self):
        self.taker.body(self.request)
        return self.respond("204 No Content")

    def do_not_modified(self):
        return self.respond("304 Not Modified", b"", 'ETag: "1"')

    def do_not_modified_with_length(self):
        """As RFC 9110 section 15.4.5 allows: the length that a GET would have had."""
        self.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n")
        return True

    def do_events(self):
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n")
        for number in itertools.count():
            self.app.steps.acquire()
            if self.app.server.ended.is_set():
                return False
            self.send(f"data: {number}\n\n".encode())

    def do_quiet(self):
        """An answer that has begun and says nothing more, as long as the browser is there."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while self.taker.more():
            pass
        return False

    def do_ticks(self):
        """The same with something to say, again and again."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not self.app.server.ended.wait(0.1):
            self.send(b"data: tick\n\n")
        return False

    def do_continue(self):
        if self.request.get("Expect").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.taker.body(self.request)
        return self.say()

    def do_refuse_continue(self):
        self.respond("417 Expectation Failed", b"no", "Connection: close")
        return False

    def do_hints(self):
        self.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        return self.say()

    def do_to(self):
        return self.respond("302 Found", b"", "Location: " + self.request.query["to"])

    def do_cookies(self):
        return self.respond("200 OK", b"", "Set-Cookie: plain=1; Path=/",
                            "Set-Cookie: wide=2; Domain=localhost; Path=/; HttpOnly",
                            "Set-Cookie: dots=3; domain=.localhost",
                            "Set-Cookie: __Host-sallyport=stolen; Path=/; Secure",
                            "Set-Cookie: __hOST-SALLYPORT=stolen", "Set-Cookie: =__Host-sallyport=stolen",
                            "Set-Cookie: last=4; SameSite=Strict")

    def do_wide_open(self):
        return self.respond("200 OK", b"", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true",
                            "Connection: close, X-Only-Here", "X-Only-Here: 1", "Keep-Alive: timeout=5",
                            "Proxy-Authenticate: Basic", "X-Kept: yes")

    def do_once(self):
        """Says nothing of closing and then does it, as a server whose patience with idle connections ends."""
        self.respond("200 OK", b"once")
        return False

    def do_stale(self):
        """On a connection that was used before, it closes without an answer: it had timed out just then."""
        if self.turn:
            with self.app.lock:
                self.app.vanished[self.request.target] += 1
            return False
        self.taker.body(self.request)
        return self.say()

    def do_vanish(self):
        with self.app.lock:
            self.app.vanished[self.request.target] += 1
        return False

    def do_wait(self):
        self.taker.body(self.request)
        self.app.gate.wait(60)
        return self.say()

    def do_deaf(self):
        """Does not read the body until it is let."""
        self.app.gate.wait(120)
        self.taker.body(self.request)
        return self.say()
