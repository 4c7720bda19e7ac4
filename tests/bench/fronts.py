"""The two web fronts that are compared, ours and nginx, before the same upstreams on Unix sockets."""
import os
import pathlib
import subprocess

from cpu import exact_seconds, tree
from lib import find_program, free_port, wait_for
from lib.web import Visitor, Wire

STAND = os.environ.get("SALLYPORT_WEB_STAND", "web_stand")
WEBSOCKET = os.environ.get("SALLYPORT_BENCH_WEBSOCKET", "bench_websocket")
LARGE = 200_000_000
SMALL = 1024


class Front:
    """Where one of the two hands the upstreams' bytes to browsers; the echo is at `/echo` of its host name."""

    def __init__(self, name, pid, port, app, echo, cookies=("", "")):
        self.name = name
        self.pid = pid
        self.port = port
        self.app, self.echo = (f"{host}:{port}" for host in (app, echo))
        self.app_cookie, self.echo_cookie = cookies

    def cpu(self):
        return exact_seconds(self.pid)

    def cipher(self):
        with Wire(self.port) as wire:
            return wire.socket.cipher()


class Stand:
    """Our web front in a program of its own: made-up machines, whose services are Unix sockets in the folder
    `sockets`. It is a relay as far as a Visitor is concerned. Sessions live on in its folder."""

    def __init__(self, world, sockets, port=0):
        self.folder = world.folder("stand")
        with open(world.path("stand.log"), "ab") as log:
            self.popen = subprocess.Popen([STAND, self.folder, str(port), sockets], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=log, text=True)
        world.at_end(self.close)
        self.pid = self.popen.pid
        self.port = int(self.popen.stdout.readline())

    def order(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()
        return self.popen.stdout.readline().strip()

    def visitor(self, name):
        visitor = Visitor(self)
        visitor.ask(self.order(f"login {name}"))
        if None not in visitor.cookies:
            raise RuntimeError(f"the stand has not let {name} in")
        return visitor

    def front(self):
        ada = self.visitor("ada")
        services = ("box1--app", "box1--echo")
        for service in services:
            ada.enter(service)
        return Front("sallyport", self.pid, self.port, *(f"{service}.localhost" for service in services),
                     [ada.cookies[service] for service in services])

    def certificate(self):
        return pathlib.Path(self.folder, "cert.pem"), pathlib.Path(self.folder, "key.pem")

    def memory(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        if self.popen.stdin.closed:
            return
        self.popen.stdin.close()
        self.popen.wait(20)
        self.popen.stdout.close()


def upstreams(world):
    """Files and small answers by nginx, and an echo by WebSocket; the folder of their sockets."""
    folder = world.folder("upstreams")
    with open(folder / "large", "wb") as file:
        for _ in range(LARGE // 1_000_000):
            file.write(os.urandom(1_000_000))
    start_nginx(world, "upstream", f"""
        server {{
            listen unix:{folder}/app.sock;
            root {folder};
            location = /small {{ return 200 "{'x' * SMALL}"; }}
        }}""")
    world.start("echo", [WEBSOCKET, "echo", folder / "echo.sock"], clean_end=False).wait_line("ready")
    return folder


def nginx(world, sockets, cert, key, suite):
    """Debian's nginx with one worker: once buffering as it does by itself, once with that switched off. It is given our
    cipher: by itself it takes AES-256, which is slower."""
    ports, servers = {"on": free_port(), "off": free_port()}, ""
    for buffering, port in ports.items():
        servers += f"""
        server {{
            listen 127.0.0.1:{port} ssl;
            ssl_certificate {cert};
            ssl_certificate_key {key};
            ssl_protocols TLSv1.3;
            ssl_conf_command Ciphersuites {suite};
            proxy_http_version 1.1;
            proxy_buffering {buffering};
            proxy_set_header Host $host;
            proxy_set_header Connection "";
            location / {{ proxy_pass http://app; }}
            location /echo {{
                proxy_pass http://echo;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection upgrade;
            }}
        }}"""
    worker = start_nginx(world, "nginx", f"""
        upstream app {{ server unix:{sockets}/app.sock; keepalive 64; keepalive_requests 100000000; }}
        upstream echo {{ server unix:{sockets}/echo.sock; }}
        {servers}""")
    return [Front(f"nginx, buffering {buffering}", worker, port, "localhost", "localhost")
            for buffering, port in ports.items()]


def start_nginx(world, name, servers):
    """The process id of its only worker."""
    folder, config = world.folder(f"{name}-state"), world.path(f"{name}.conf")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(f"""
    daemon off; worker_processes 1; pid {folder}/pid; error_log stderr; {user}
    events {{ worker_connections 1024; }}
    http {{
        default_type text/plain; access_log off; sendfile on; {temporary}
        keepalive_requests 100000000;
        {servers}
    }}\n""", encoding="ascii")
    process = world.start(name, [find_program("nginx"), "-e", "stderr", "-p", folder, "-c", config], clean_end=False)
    wait_for(f"{name}'s worker", lambda: len(tree([process.pid])) == 2)
    return next(pid for pid in tree([process.pid]) if pid != process.pid)
