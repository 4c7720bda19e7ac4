"""Where messages of a relay arrive: a web server and a mail server that keep what they are sent."""
import http.server
import socketserver
import threading

from .ports import free_port


class Hook:
    """A web server; `status` is what it answers."""

    def __init__(self, world):
        self.port = free_port()
        self.status = 200
        self.got = []  # (path, headers, body)
        self.connections = 0
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                hook.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.status
                if status < 300:
                    hook.got.append((self.path, self.headers, body))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"http://127.0.0.1:{hook.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Silence."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        world.at_end(self.close)

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}/{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mail:
    """As much of a mail server (RFC 5321) as a client needs to leave a message."""

    def __init__(self, world):
        self.port = free_port()
        self.got = []  # (from, to, message)
        mail = self

        class Handler(socketserver.StreamRequestHandler):
            def answer(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                sender = receiver = ""
                self.answer("220 mail.test ESMTP")
                while line := self.rfile.readline():
                    word = line.decode().strip()
                    if word.upper().startswith("MAIL FROM:"):
                        sender = word[10:].split()[0]
                    elif word.upper().startswith("RCPT TO:"):
                        receiver = word[8:].split()[0]
                    elif word.upper() == "DATA":
                        self.answer("354 go on")
                        lines = []
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(line)
                        mail.got.append((sender, receiver, b"".join(lines)))
                    elif word.upper() == "QUIT":
                        self.answer("221 bye")
                        return
                    self.answer("250 ok")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        world.at_end(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
