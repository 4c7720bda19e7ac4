"""A router with UPnP that grants permanent mappings only (error 725): fake_igd.py INSIDE OUTSIDE

INSIDE is its address on lan0, OUTSIDE the one that it says it has on the internet. Mappings are rules in the chains
that router.py makes.
"""
import http.server
import re
import socket
import struct
import subprocess
import sys
import threading

GROUP, SSDP, PORT = "239.255.255.250", 1900, 5000
TYPES = ("upnp:rootdevice", "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
         "urn:schemas-upnp-org:service:WANIPConnection:1")
SERVICE = TYPES[2]

DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>For ever</friendlyName><manufacturer>Lab</manufacturer><modelName>Permanent</modelName>
<UDN>uuid:0d3d9a60-0000-4000-8000-000000000001</UDN><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><friendlyName>WAN</friendlyName>
<manufacturer>Lab</manufacturer><modelName>WAN</modelName><UDN>uuid:0d3d9a60-0000-4000-8000-000000000002</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANCommonIFC1</serviceId><controlURL>/common</controlURL>
<eventSubURL>/no</eventSubURL><SCPDURL>/no.xml</SCPDURL></service></serviceList><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><friendlyName>WAN</friendlyName>
<manufacturer>Lab</manufacturer><modelName>WAN</modelName><UDN>uuid:0d3d9a60-0000-4000-8000-000000000003</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><controlURL>/control</controlURL>
<eventSubURL>/no</eventSubURL><SCPDURL>/no.xml</SCPDURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>
"""

ENVELOPE = """<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
 s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>
"""
FAULT = """<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>
<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode>
<errorDescription>%s</errorDescription></UPnPError></detail></s:Fault>"""


class Refused(Exception):
    """What becomes a UPnP error: number, words."""


class Mappings:
    def __init__(self, outside):
        self.outside = outside
        self.entries = {}  # external port: (address, port, description)
        self.lock = threading.Lock()

    def write(self):
        rules = ["flush chain inet filter prerouting_miniupnpd", "flush chain inet filter miniupnpd"]
        for external, (address, port, _) in self.entries.items():
            rules += [f"add rule inet filter prerouting_miniupnpd iifname wan0 tcp dport {external} "
                      f"dnat ip to {address}:{port}",
                      f"add rule inet filter miniupnpd iifname wan0 ip daddr {address} tcp dport {port} accept"]
        subprocess.run(["nft", "-f", "-"], input="\n".join(rules) + "\n", text=True, check=True)

    def add(self, asked, client):
        external, address = int(asked["NewExternalPort"]), asked["NewInternalClient"]
        if int(asked["NewLeaseDuration"]) != 0:
            raise Refused(725, "OnlyPermanentLeasesSupported")
        if address != client:
            raise Refused(606, "Action not authorized")
        if external in self.entries and self.entries[external][0] != address:
            raise Refused(718, "ConflictInMappingEntry")
        self.entries[external] = (address, int(asked["NewInternalPort"]), asked["NewPortMappingDescription"])
        self.write()
        return {}

    def find(self, asked):
        if int(asked["NewExternalPort"]) not in self.entries:
            raise Refused(714, "NoSuchEntryInArray")
        return self.entries[int(asked["NewExternalPort"])]

    def get(self, asked):
        address, port, description = self.find(asked)
        return {"NewInternalPort": port, "NewInternalClient": address, "NewEnabled": 1,
                "NewPortMappingDescription": description, "NewLeaseDuration": 0}

    def delete(self, asked):
        self.find(asked)
        del self.entries[int(asked["NewExternalPort"])]
        self.write()
        return {}

    def answer(self, action, asked, client):
        with self.lock:
            if action == "GetExternalIPAddress":
                return {"NewExternalIPAddress": self.outside}
            if action == "GetStatusInfo":
                return {"NewConnectionStatus": "Connected", "NewLastConnectionError": "ERROR_NONE", "NewUptime": 60}
            if action == "AddPortMapping":
                return self.add(asked, client)
            if action == "GetSpecificPortMappingEntry":
                return self.get(asked)
            if action == "DeletePortMapping":
                return self.delete(asked)
        raise Refused(401, "Invalid Action")


class Control(http.server.BaseHTTPRequestHandler):
    def respond(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):  # the name that http.server wants
        self.respond(200 if self.path == "/desc.xml" else 404, DESCRIPTION if self.path == "/desc.xml" else "")

    def do_POST(self):  # the name that http.server wants
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), 65536)).decode()
        action = self.headers.get("SOAPAction", "").strip('"').rpartition("#")[2]
        asked = dict(re.findall(r"<(New\w+)[^>]*>([^<]*)</", body))
        try:
            said = self.server.mappings.answer(action, asked, self.client_address[0])
        except Refused as refused:
            self.respond(500, ENVELOPE % (FAULT % refused.args))
            return
        except (KeyError, ValueError):
            self.respond(500, ENVELOPE % (FAULT % (402, "Invalid Args")))
            return
        fields = "".join(f"<{key}>{value}</{key}>" for key, value in said.items())
        self.respond(200, ENVELOPE % f'<u:{action}Response xmlns:u="{SERVICE}">{fields}</u:{action}Response>')


def announce(inside):
    """Answers searches, those to everybody and those to this router alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ssdp:
        ssdp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ssdp.bind(("", SSDP))
        ssdp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(inside)))
        while True:
            asked, who = ssdp.recvfrom(2048)
            wanted = re.search(rb"^ST: *(\S+)", asked, re.MULTILINE | re.IGNORECASE)
            if not asked.startswith(b"M-SEARCH") or not wanted:
                continue
            for kind in TYPES if wanted[1] == b"ssdp:all" else [wanted[1].decode("ascii", "replace")]:
                if kind in TYPES:
                    ssdp.sendto((f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {kind}\r\n"
                                 f"USN: uuid:0d3d9a60-0000-4000-8000-000000000001::{kind}\r\nEXT:\r\n"
                                 f"SERVER: Lab/1 UPnP/1.0 Lab/1\r\nLOCATION: http://{inside}:{PORT}/desc.xml\r\n\r\n"
                                 ).encode(), who)


def main():
    inside, outside = sys.argv[1:]
    server = http.server.ThreadingHTTPServer((inside, PORT), Control)
    server.mappings = Mappings(outside)
    threading.Thread(target=announce, args=(inside,), daemon=True).start()
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
