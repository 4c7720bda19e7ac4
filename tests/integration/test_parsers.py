"""The strict parsers beside Node's and nginx's: of a stream of requests that we accept, nobody reads anything else.

Thousands of mutations of the hostile corpus, the same in every run, each with a marker request behind it. For those
whose first request we accept, both others must read the same requests (method, target, host, body), one by one, and
find no request where we see none. They may give up earlier, by an error that is one of those listed here.
"""
import asyncio
import collections
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from lib import STRETCH, Process, corpus, find_program, free_port, wait_for

JUDGE = os.environ["SALLYPORT_HTTP_JUDGE"]
STREAMS = int(os.environ.get("SALLYPORT_STREAMS", "16000"))
MARKER = b"GET /marker HTTP/1.1\r\nHost: marker\r\nConnection: close\r\n\r\n"
AT_ONCE = 24

BYTES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b";", b",", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xa0", b"0",
         b"1", b"9", b"a", b"f", b"+", b"-", b"_", b"\"", b"\\", b"/", b"#", b"?", b"%", b"=", b"@", b"[", b"]", b"x"]
LINES = [b"Content-Length: 3", b"Content-Length: 0", b"Content-Length: 30", b"Content_Length: 5",
         b"Content-Length-X: 5", b"Transfer-Encoding: chunked", b"Transfer_Encoding: chunked",
         b"X-Transfer-Encoding: chunked", b"TE: chunked",
         b"Trailer: Content-Length", b"Connection: keep-alive", b"Connection: TE, x", b"Connection: Upgrade",
         b"Upgrade: websocket", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", b"Sec-WebSocket-Key: x",
         b"Proxy-Connection: close", b"Keep-Alive: 5", b"Expect: 100-continue", b"Expect: 100-Continue, x",
         b"Content-Encoding: chunked", b"X-HTTP-Method-Override: PUT", b"X-Forwarded-Host: b", b"X: \xe9\xff\ty", b"X:",
         b"Host : b", b"X-Host: b", b"Accept: */*", b"Range: bytes=0-1", b"!#$%&'*+-.^_`|~: x", b"Content-Type: a/b"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE", "M-SEARCH"]
TARGETS = [b"/", b"/a?b=c", b"//b/c", b"/%41%2f", b"/a/../b", b"/./a", b"/?/../x", b"/a;b=c",
           b"/{|}^`\"<>\\", b"/:80", b"/@b"]
HOSTS = ["a", "a", "A.b:80", "[::1]:80", "a..b", "..", ".a", "a.", "a:", "[a", "a]", "[]", "a:b:c", ":", "-", "_a",
         "a[b]:c", "[a]b"]
FRAMES = [b"\r\n", b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 005\r\n\r\nhello",
          b"content-length:5 \r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
          b"transfer-encoding:  chunked \r\n\r\n0\r\n\r\n",
          b"Transfer-Encoding: chunked\r\n\r\n00A;x=y\r\n0\r\n\r\nGET /\r\n0;z\r\nX: y\r\n\r\n",
          b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;\"b\"\r\nc\r\n0\r\nContent-Length: 7\r\n\r\n"]

# Why a reader may turn down what we accept: none of this leads to another reading.
def node_may(request, skipped, error, data):
    """It knows some methods only, and looks closely at what we do not send on: extensions, and trailers, which it obeys
    like any field. With a wrong trailer behind a wish to upgrade it stands still."""
    return (error == "HPE_INVALID_METHOD" and request[0] not in METHODS
            or skipped > 0 and (error.startswith("HPE_") or error == "silence" and b"upgrade:" in data.lower()))


def nginx_may(request, _, error, data):
    """Methods are of capital letters and no TRACE; a path has whole escapes, none for NUL, and does not lead out of the
    root; Expect stands there once."""
    method, target, *_ = request
    path = target.split("?")[0]
    return (method == "TRACE" and error == "405" or error == "400" and (
        not re.fullmatch("[A-Z_-]+", method) or re.search("%(?![0-9A-Fa-f]{2})|%00|/\\.\\.", path) is not None
        or len(re.findall(rb"(?i)\nexpect:", data)) > 1))


def plain_request(rng):
    """One that is well formed, with something unusual about it."""
    lines = [b"%s %s HTTP/1.1" % (rng.choice(METHODS).encode(), rng.choice(TARGETS)),
             b"Host: " + rng.choice(HOSTS).encode()]
    lines += [rng.choice(LINES) for _ in range(rng.randrange(3))]
    if rng.random() < 0.3:
        rng.shuffle(lines)
    return b"\r\n".join(lines) + b"\r\n" + rng.choice(FRAMES)


def mutate(rng, data):
    """One small change."""
    at = rng.randrange(len(data) + 1)
    lines = data.split(b"\r\n")
    line = rng.randrange(len(lines))
    way = rng.randrange(8)
    if way == 0:
        return data[:at] + rng.choice(BYTES) + data[at:]
    if way == 1:
        return data[:at] + data[at + 1:]
    if way == 2:
        return data[:at] + rng.choice(BYTES) + data[at + 1:]
    if way == 3:
        return data[:at] + data[at:at + 1].swapcase() + data[at + 1:]
    if way == 4:
        lines.insert(line, lines[rng.randrange(len(lines))])
    elif way == 5:
        lines.insert(max(line, 1), rng.choice(LINES))
    elif way == 6:
        del lines[line]
    else:
        lines[line] = rng.choice(LINES)
    return b"\r\n".join(lines)


def make_streams(count):
    rng = random.Random(3)
    seeds = [data for _, _, data in corpus.requests() if 0 < len(data) < 2000]
    seeds += [b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data
              for _, _, data in corpus.bodies() if len(data) < 2000]
    streams = list(seeds)
    while len(streams) < count:
        data = plain_request(rng) if rng.random() < 0.6 else rng.choice(seeds)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            data = mutate(rng, data)
        if rng.random() < 0.2:
            data += plain_request(rng)
        if data:
            streams.append(data)
    return [data + MARKER for data in streams]


def unchunk(body):
    out = b""
    while True:
        size, body = body.split(b"\r\n", 1)
        if int(size, 16) == 0:
            return out
        out += body[:int(size, 16)]
        body = body[int(size, 16) + 2:]


def judge(streams):
    """For each stream: the requests that we read whole, each with the bytes that we would not send on; how it ended."""
    told = subprocess.run([JUDGE], input=b"".join(struct.pack(">I", len(data)) + data for data in streams),
                          stdout=subprocess.PIPE, check=True, timeout=60 * STRETCH).stdout.decode("latin-1")
    verdicts, seen = [], []
    for line in told.splitlines():
        kind, *words = line.split(" ")
        if kind == "end":
            verdicts.append((seen, words[0]))
            seen = []
        elif len(words) == 5:
            method, target, host, body, skipped = words
            data = bytes.fromhex(body.removeprefix("chunked:").removeprefix("-"))
            data = unchunk(data) if body.startswith("chunked:") else data
            seen.append(((method, target, host, data), int(skipped)))
    return verdicts


class Reading:
    """What another parser made of a stream: requests, and the error it ended with, if any."""

    def __init__(self):
        self.requests = []
        self.error = None


async def converse(port, data):
    """Sends the stream and its end; the port it was sent from, and all that came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ours, said = writer.get_extra_info("sockname")[1], b""
    try:
        writer.write(data)
        writer.write_eof()
        while some := await asyncio.wait_for(reader.read(65536), 30 * STRETCH):
            said += some
    except ConnectionError:
        pass
    except TimeoutError:
        writer.transport.abort()
    finally:
        writer.close()
    return ours, said


class Node:
    """Node's HTTP server, which says itself what it read."""

    def __init__(self, folder):
        self.process = Process("node", [find_program("node"), pathlib.Path(__file__).with_name("http_reader.mjs")],
                               folder / "node.log")
        self.port = int(self.process.wait_line(r"^port (\d+)$").group(1))

    async def read_all(self, streams):
        ports = [port for port, _ in await each(streams, lambda data: converse(self.port, data))]
        lines = wait_for("node to tell of every connection", lambda: self.connections(len(streams)), 60)
        seen = collections.defaultdict(list)  # in the order of their ends, should a port come twice
        for one in lines:
            seen[one["port"]].append(one)
        readings = []
        for port in ports:
            one, reading = seen[port].pop(0), Reading()
            reading.requests = [(*named, bytes.fromhex(body)) for *named, body in one["requests"]]
            reading.error = None if one["error"] == "HPE_INVALID_EOF_STATE" else one["error"]
            readings.append(reading)
        return readings

    def connections(self, count):
        lines = self.process.text().splitlines()[1:]
        return [json.loads(line) for line in lines] if len(lines) == count else None

    async def stop(self):
        self.process.stop()


class Nginx:
    """nginx as a proxy; what it read is what it hands to the server behind it, which runs here."""

    CONFIG = """daemon off; master_process off; pid nginx.pid; error_log stderr info;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_max_body_size 0; client_body_buffer_size 64k; client_header_buffer_size 64k;
    large_client_header_buffers 4 64k; keepalive_timeout 5s; types {{ }}
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://unix:{folder}/behind:; proxy_ignore_client_abort on; proxy_pass_request_headers off;
            proxy_set_header Host behind; proxy_set_header X-Port $remote_port; proxy_set_header X-Host $http_host;
        }}
    }}
}}
"""

    def __init__(self, folder):
        self.folder, self.port, self.seen, self.behind = folder, free_port(), collections.defaultdict(list), None
        (folder / "nginx.conf").write_text(self.CONFIG.format(port=self.port, folder=folder), encoding="ascii")
        self.process = None

    async def start(self):
        self.behind = await asyncio.start_unix_server(self.take, self.folder / "behind")
        self.process = Process("nginx", [find_program("nginx"), "-p", self.folder, "-c", "nginx.conf"],
                               self.folder / "nginx.log")
        for _ in range(200):
            try:
                await converse(self.port, b"")
                return
            except OSError:
                await asyncio.sleep(0.1)
        raise AssertionError(f"nginx does not listen: {self.process.text()}")

    async def take(self, reader, writer):
        """One request, as nginx writes them."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        body = await reader.readexactly(int(fields.get("Content-Length", 0)))
        self.seen[int(fields["X-Port"])].append((method, target, fields.get("X-Host", ""), body))
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def read_one(self, data):
        port, said = await converse(self.port, data)
        reading = Reading()
        reading.requests = self.seen.pop(port, [])
        answers = re.findall(rb"^HTTP/1\.1 (\d{3})", said, re.MULTILINE)
        reading.error = next((status.decode() for status in answers if status >= b"400"), None)
        return reading

    async def read_all(self, streams):
        await self.start()
        return await each(streams, self.read_one)

    async def stop(self):
        self.behind.close()
        self.process.stop()


async def each(items, action):
    """Runs the action for all items, some at a time; the results in their order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item):
        async with gate:
            return await action(item)

    return await asyncio.gather(*(one(item) for item in items))


def disagreement(data, ours, ended, theirs, excused):
    """In words, or None. `ended` tells how our reading ended."""
    skipped = 0
    for i, (request, more) in enumerate(ours):
        skipped += more
        if i == len(theirs.requests):
            error = theirs.error or "silence"
            return None if excused(request, skipped, error, data) else f"it does not read request {i + 1}: {error}"
        if theirs.requests[i] != request:
            return f"it reads {theirs.requests[i]}"
    # We wait for more of a body or a head: who sees a request there ends something earlier than we do.
    if ended == "more" and len(theirs.requests) > len(ours):
        return f"it sees one more: {theirs.requests[len(ours)]}"
    return None


class Parsers(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-parsers-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def read(self, maker, streams):
        async def session():
            reader = maker(self.folder)
            try:
                return await reader.read_all(streams)
            finally:
                await reader.stop()
        return asyncio.run(session())

    def compare(self, maker, excused):
        streams = make_streams(STREAMS)
        accepted = [(data, seen, ended) for data, (seen, ended) in zip(streams, judge(streams)) if seen]
        self.assertGreater(len(accepted), STREAMS // 5)
        readings = self.read(maker, [data for data, _, _ in accepted])
        wrong = []
        for (data, seen, ended), reading in zip(accepted, readings):
            said = disagreement(data, seen, ended, reading, excused)
            if said:
                wrong.append(f"{data!r}\n  we: {seen} {ended}\n  {said}")
        print(f"{len(streams)} streams, {len(accepted)} begin with a request that we accept", flush=True)
        self.assertFalse(wrong, f"{len(wrong)} are read differently:\n" + "\n".join(wrong[:20]))

    def test_node(self):
        self.compare(Node, node_may)

    def test_nginx(self):
        self.compare(Nginx, nginx_may)


if __name__ == "__main__":
    unittest.main()
