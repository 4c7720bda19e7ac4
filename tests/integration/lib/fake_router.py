"""A router that is not what it should be: SSDP, a description, SOAP, PCP and NAT-PMP, each wrong in a way of its own.

usage: fake_router.py '{"lan": "192.168.77.1", ...}'      every wrong thing is an option, see the code
Says `ready`, then a line for each thing that it is asked.
"""
import http.server
import json
import socket
import socketserver
import struct
import sys
import threading
import time

FRIENDLY = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0">{base}<specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:{version}</deviceType>
<friendlyName>fake</friendlyName>{filler}<deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList>{services}</serviceList>
</device></deviceList></device></deviceList></device></root>"""
SERVICE = """<service><serviceType>{kind}</serviceType><serviceId>urn:upnp-org:serviceId:x</serviceId>
<controlURL>{control}</controlURL><eventSubURL>/event</eventSubURL><SCPDURL>/scpd</SCPDURL></service>"""
CONNECTION = "urn:schemas-upnp-org:service:WANIPConnection:{version}"
SOAP = """<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body>
</s:Envelope>"""


def say(*words):
    print(*words, flush=True)


class Router:
    def __init__(self, options):
        self.options = options
        self.lan = options.get("lan", "192.168.77.1")
        self.version = options.get("version", 1)
        self.table = {int(port): tuple(entry) for port, entry in options.get("table", {}).items()}
        self.began = time.monotonic()

    def get(self, name, otherwise=None):
        return self.options.get(name, otherwise)

    # -- SSDP ---------------------------------------------------------------------------------------------------------

    def answers(self):
        url = self.get("location", f"http://{self.lan}:5000/desc.xml")
        good = ("HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                f"LOCATION: {url}\r\nSERVER: fake router\r\n\r\n").encode()
        kind = self.get("ssdp", "good")
        if kind == "good":
            return [good]
        if kind == "garbage":
            return [b"\x00\xff" * 300, b"", b"HTTP/1.1 200 OK\r\n", b"LOCATION" * 180, good[:-60],
                    good.replace(b"200", b"500"),
                    b"HTTP/1.1 200 OK\r\nLOCATION: http://\r\nST: upnp:rootdevice\r\n\r\n"]
        if kind == "flood":
            return [good.replace(b"/desc.xml", b"/%d.xml" % number) for number in range(2000)]
        return []

    def ssdp(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", 1900))
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          socket.inet_aton("239.255.255.250") + socket.inet_aton(self.lan))
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.bind((self.lan, 0))
        while True:
            _question, peer = server.recvfrom(2048)
            say("ssdp")
            for answer in self.answers():
                back.sendto(answer, peer)

    def ssdp6(self):
        link = socket.if_nametoindex(self.get("link", "eth0"))
        server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::", 1900))
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                          socket.inet_pton(socket.AF_INET6, "ff02::c") + struct.pack("=I", link))
        back = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        back.bind((self.get("lan6"), 0))
        while True:
            _question, peer = server.recvfrom(2048)
            say("ssdp6")
            for answer in self.answers():
                back.sendto(answer, peer)

    # -- PCP and NAT-PMP ----------------------------------------------------------------------------------------------

    def epoch(self):
        return self.get("epoch", 1000) + int(time.monotonic() - self.began)

    def pcp_answers(self, question):
        kind = self.get("pcp")
        if question[0] != 2 or kind in (None, "silent"):
            if question[0] == 2 and kind is None and self.get("natpmp"):
                return [struct.pack(">BBHI", 0, 128 + question[1], 1, self.epoch())]
            return []
        head = struct.pack(">BBBBII12x", 2, 128 | question[1], 0, 0, 3600, self.epoch())
        if question[1] == 0:
            return [head]
        ours = question[24:40] + question[40:42]
        external = b"\0" * 10 + b"\xff\xff" + socket.inet_aton(self.get("external", "45.67.1.2"))
        port = struct.pack(">H", self.get("port") or int.from_bytes(question[42:44], "big"))
        good = head + ours + port + external
        nonce = head + b"\0" * 12 + ours[12:] + port + external
        refused = head[:3] + bytes([self.get("result", 2)]) + head[4:] + ours + port + external
        wrong = {
            "good": [good], "refused": [refused], "nonce": [nonce], "nonce then good": [nonce, good],
            "short": [good[:n] for n in range(0, 60, 4)], "long": [good + b"\0" * 1100], "odd": [good + b"x"],
            "opcode": [head[:1] + b"\x82" + good[2:]], "question": [head[:1] + b"\x01" + good[2:]],
            "another port": [good[:40] + b"\x00\x07" + good[42:]], "no port": [good[:42] + b"\0\0" + good[44:]],
            "no address": [good[:56] + b"\0\0\0\0"],
            "six": [good[:44] + socket.inet_pton(socket.AF_INET6, "2001:db8::7")],
            "no lease": [good[:4] + b"\0\0\0\0" + good[8:]], "for ever": [good[:4] + b"\xff" * 4 + good[8:]],
            "version": [b"\x03" + good[1:]], "noise": [bytes([7 * n % 251]) * (n * 13 % 1500) for n in range(200)],
        }
        return wrong[kind]

    def natpmp_answers(self, question):
        kind = self.get("natpmp")
        if question[0] != 0 or kind in (None, "silent"):
            return []
        if question[1] == 0:
            good = struct.pack(">BBHI4s", 0, 128, 0, self.epoch(), socket.inet_aton(self.get("external", "45.67.1.2")))
        else:
            inner, outer, lease = struct.unpack(">HHI", question[4:12])
            if kind == "another port":
                inner = 7
            outer = self.get("port") or outer
            good = struct.pack(">BBHIHHI", 0, 128 + question[1], 0, self.epoch(), inner, outer, lease)
        wrong = {
            "good": [good], "another port": [good],
            "refused": [good[:2] + struct.pack(">H", self.get("result", 2)) + good[4:]],
            "short": [good[:n] for n in range(len(good))], "opcode": [good[:1] + b"\x83" + good[2:]],
            "noise": [bytes([7 * n % 251]) * (n * 13 % 1500) for n in range(200)],
        }
        return wrong[kind]

    def pcp(self):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((self.lan, 5351))
        while True:
            question, peer = server.recvfrom(2048)
            say("pcp" if question[:1] == b"\x02" else "natpmp", question.hex())
            for answer in self.pcp_answers(question) + self.natpmp_answers(question):
                server.sendto(answer, peer)

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def description(self):
        kind = CONNECTION.format(version=self.version)
        control = self.get("control", "/ctl")
        services = SERVICE.format(kind=kind, control=control)
        if self.get("services"):
            services = services.replace(kind, "urn:schemas-upnp-org:service:Other:1") * self.get("services") + services
        return FRIENDLY.format(base=self.get("base", ""), version=self.version, services=services,
                               filler=self.get("filler", "")).encode()

    def soap(self, action, fields):
        """UPnP's number of an error, or what stands in the answer."""
        forced = self.get("errors", {}).get(action)
        if forced:
            return forced
        port = int(fields.get("NewExternalPort", 0) or 0)
        if action == "GetExternalIPAddress":
            return {"NewExternalIPAddress": self.get("external", "45.67.1.2")}
        if action == "GetSpecificPortMappingEntry":
            if port not in self.table:
                return 714
            client, inner, lease = self.table[port]
            return {"NewInternalPort": inner, "NewInternalClient": client, "NewEnabled": 1,
                    "NewPortMappingDescription": "x", "NewLeaseDuration": lease}
        if action in ("AddPortMapping", "AddAnyPortMapping"):
            lease = int(fields["NewLeaseDuration"])
            if self.get("permanent only") and lease != 0:
                return 725
            if self.get("leases unknown") and lease != 0:
                return 402
            if self.get("same ports") and fields["NewInternalPort"] != fields["NewExternalPort"]:
                return 724
            if port in self.get("taken", []) or self.get("all taken"):
                return 718
            if not self.get("forgetful"):
                self.table[port] = (fields["NewInternalClient"], int(fields["NewInternalPort"]), lease)
            return {"NewReservedPort": self.get("reserved", port)} if action == "AddAnyPortMapping" else {}
        if action == "DeletePortMapping":
            self.table.pop(port, None)
            return {}
        return 401


def handler(router):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_words):
            pass

        def send(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def endless(self, piece, pause=0.0):
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
            try:
                while True:
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(pause)
            except OSError:
                say("hung up")

        def do_GET(self):
            say("get", self.path)
            kind = router.get("description", "good")
            if kind == "endless":
                self.endless(b"<a><b>" * 10000)
            elif kind == "endless head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self.endless(b"X-More: " + b"x" * 60000 + b"\r\n")
            elif kind == "slow":
                self.endless(b"<", 0.3)
            elif kind == "silent":
                time.sleep(3600)
            elif kind == "bomb":
                entities = "".join(f'<!ENTITY e{n} "&e{n - 1};&e{n - 1};&e{n - 1};&e{n - 1};">' for n in range(1, 40))
                bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "x">{entities}]><root>&e39;</root>'
                self.send(200, bomb.encode())
            elif kind == "deep":
                self.send(200, b"<a>" * 200000)
            elif kind == "huge strings":
                huge = router.description().replace(b"/ctl", b"/" + b"c" * 100000)
                self.send(200, huge.replace(b"fake", b"f" * 100000))
            elif kind == "garbage":
                self.send(200, bytes(n * 7 % 256 for n in range(20000)))
            elif kind == "length lies":
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4294967295\r\n\r\n" + router.description())
            elif kind == "redirect":
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: " + router.get("elsewhere").encode() +
                                 b"\r\nContent-Length: 0\r\n\r\n")
            else:
                self.send(200, router.description())

        def do_SUBSCRIBE(self):
            say("subscribe", self.path)

        def do_POST(self):
            action = self.headers.get("SOAPAction", "").strip('"').rsplit("#", 1)[-1]
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = {}
            for part in text.split("<New")[1:]:
                name, rest = part.split(">", 1)
                fields["New" + name] = rest.split("</", 1)[0]
            say("soap", action, json.dumps(fields))
            if router.get("raw", {}).get(action):
                self.send(200, router.get("raw")[action].encode())
                return
            answer = router.soap(action, fields)
            if isinstance(answer, int):
                self.send(500, SOAP.format(body=f"<s:Fault><detail><UPnPError><errorCode>{answer}</errorCode>"
                                                "</UPnPError></detail></s:Fault>").encode())
                return
            inner = "".join(f"<{name}>{value}</{name}>" for name, value in answer.items())
            self.send(200, SOAP.format(body=f'<u:{action}Response xmlns:u="x">{inner}</u:{action}Response>').encode())

    return Handler


class Web(socketserver.ThreadingTCPServer):
    """An HTTP server that does not ask the DNS for its own name."""
    allow_reuse_address = True
    daemon_threads = True


class Web6(Web):
    address_family = socket.AF_INET6


def main():
    router = Router(json.loads(sys.argv[1]))
    web = Web((router.lan, 5000), handler(router))
    if router.get("ssdp") != "none":
        threading.Thread(target=router.ssdp, daemon=True).start()
    if router.get("lan6"):
        threading.Thread(target=router.ssdp6, daemon=True).start()
        web6 = Web6((router.get("lan6"), 5000), handler(router))
        threading.Thread(target=web6.serve_forever, daemon=True).start()
    if router.get("pcp") or router.get("natpmp"):
        threading.Thread(target=router.pcp, daemon=True).start()
    say("ready")
    web.serve_forever()


if __name__ == "__main__":
    main()
