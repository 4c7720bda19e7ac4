"""An application as people write them with a framework: WebSockets with subprotocols and compression, static files
with ranges and gzip, cookies. Tornado, in a thread of its own."""
import asyncio
import threading

from tornado import httpserver, netutil, web, websocket

from .ports import free_port


class Echo(websocket.WebSocketHandler):
    def initialize(self, seen):
        self.seen = seen

    def check_origin(self, origin):
        self.seen.append(origin)
        return super().check_origin(origin)

    def select_subprotocol(self, subprotocols):
        return "second" if "second" in subprotocols else None

    def get_compression_options(self):
        return {}

    def on_message(self, message):
        if message == "close":
            self.close(4001, "as you wish")
        else:
            self.write_message(message, binary=isinstance(message, bytes))


class Chat(websocket.WebSocketHandler):
    """Speaks first, at once: its first frame comes in one packet with the head."""

    def open(self, *_args):
        self.write_message("welcome")

    def on_message(self, message):
        """Whatever is said to it, it has said its word."""


class Data(web.RequestHandler):
    def get(self):
        self.set_cookie("seen", "1")
        self.write({"runs": ["train", "test"], "filling": "x" * 5000})


class Framework:
    def __init__(self, world):
        self.port = free_port()
        self.origins = []  # as the WebSocket's handler saw them
        self.files = world.folder("framework-files")
        self.loop = None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        if not self.ready.wait(30):
            raise AssertionError("the framework's server did not start")
        world.at_end(self.close)

    def _run(self):
        async def serve():
            self.loop = asyncio.get_running_loop()
            self.done = asyncio.Event()
            app = web.Application([
                ("/ws", Echo, {"seen": self.origins}), ("/chat", Chat), ("/data", Data),
                ("/files/(.*)", web.StaticFileHandler, {"path": str(self.files)}),
                ("/", web.RedirectHandler, {"url": "/data", "permanent": False}),
            ], compress_response=True, websocket_max_message_size=64 << 20)
            server = httpserver.HTTPServer(app)
            server.add_sockets(netutil.bind_sockets(self.port, "127.0.0.1"))
            self.ready.set()
            await self.done.wait()
            server.stop()
            await server.close_all_connections()
        asyncio.run(serve())

    def close(self):
        self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join(20)
