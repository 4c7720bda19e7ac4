"""One cell after another in a real Jupyter: asked directly, and through the proxy, relay, tunnel and agent."""
import json
import os
import time

from tornado import httpclient, websocket

from lib import Agent, Person, Relay, wait_for
from lib.jupyter import TOKEN, Jupyter, fetch
from lib.web import Visitor


class Cells:
    """A kernel of its own and the WebSocket to it."""

    def __init__(self, name, loop, channels, headers, validate=True):
        self.name = name
        self.loop = loop
        self.number = 0
        request = httpclient.HTTPRequest(channels, headers=headers, connect_timeout=60, request_timeout=60,
                                         validate_cert=validate)
        self.connection = loop.run_sync(lambda: websocket.websocket_connect(request), timeout=60)

    def run(self):
        """Seconds from the request until the kernel is idle again, with the output seen."""
        return self.loop.run_sync(self._run, timeout=60)

    async def _run(self):
        self.number += 1
        cell = f"cell-{self.number}"
        header = {"msg_id": cell, "msg_type": "execute_request", "username": "bench", "session": self.name,
                  "version": "5.3", "date": "2026-01-01T00:00:00Z"}
        content = {"code": "6 * 7", "silent": False, "store_history": False, "user_expressions": {},
                   "allow_stdin": False, "stop_on_error": True}
        request = json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content,
                              "channel": "shell", "buffers": []})
        seen, waiting = "", {"idle", "reply"}
        began = time.monotonic()
        await self.connection.write_message(request)
        while waiting:
            message = await self.connection.read_message()
            if message is None:
                raise RuntimeError(f"{self.name}: the WebSocket closed in cell {self.number}")
            message = json.loads(message)
            if message.get("parent_header", {}).get("msg_id") != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "execute_result":
                seen = content["data"]["text/plain"]
            elif kind == "execute_reply":
                waiting.discard("reply")
            elif kind == "status" and content["execution_state"] == "idle":
                waiting.discard("idle")
        took = time.monotonic() - began
        if seen != "42":
            raise RuntimeError(f"{self.name}: {seen!r} came out")
        return took


def new_kernel(base):
    status, body = fetch(base + "api/kernels", data=b"{}", token=TOKEN)
    if status != 201:
        raise RuntimeError(f"no kernel: {status} {body!r}")
    return json.loads(body)["id"]


def published(relay, port):
    """The name of the service with that port."""
    return next((name for name, service in relay.services("box1").items() if service["port"] == port), None)


def environment(home):
    """The agent looks for Jupyter's runtime files where its own user has them."""
    others = ("XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    return {name: value for name, value in os.environ.items() if name not in others} | {"HOME": str(home)}


def both_ways(world, loop):
    """The same Jupyter, directly and through everything, each with a kernel."""
    relay = Relay(world, "cells-relay")
    jupyter = Jupyter(world)
    agent = Agent(world, "box1", relay, env=environment(jupyter.home))
    agent.join()
    agent.start()
    ada = Person(world, "ada", relay, admin=True)
    service = "box1--" + wait_for("Jupyter to be published", lambda: published(relay, jupyter.port), 30)
    visitor = Visitor(relay).log_in(ada)
    visitor.enter(service)
    base = f"http://127.0.0.1:{jupyter.port}/"
    path = "127.0.0.1:{}/api/kernels/{}/channels"
    return [
        Cells("through the relay", loop, "wss://" + path.format(relay.port, new_kernel(base)),
              {"Host": visitor.host(service), "Origin": visitor.origin(service), "Cookie": visitor.cookies[service]},
              validate=False),
        Cells("directly", loop, "ws://" + path.format(jupyter.port, new_kernel(base)),
              {"Authorization": f"token {TOKEN}"}),
    ]
