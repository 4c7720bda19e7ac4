"""A real Jupyter, and a client that runs a cell in one of its kernels."""
import json
import os
import pathlib
import urllib.error
import urllib.request

from tornado import httpclient, ioloop, websocket

from .ports import free_port
from .process import STRETCH, wait_for
from .world import find_program

TOKEN = "a-token-of-the-test"


class Jupyter:
    """`kind` is jupyter-notebook or jupyter-server, as Debian packages them. Its runtime file lies where an ordinary
    set-up has it, below `home`."""

    def __init__(self, world, kind="jupyter-server", port=None, home=None, base_url="/", more=()):
        self.world = world
        self.kind = kind
        self.home = home or world.folder("jupyter-home")
        self.base_url = base_url
        self.more = list(more)
        self.runtime = None
        self.port = port or free_port()
        self.process = None
        self.start()

    def start(self, port=None):
        self.port = port or self.port
        root = self.world.folder("notebooks")
        env = dict(os.environ, HOME=str(self.home), JUPYTER_TOKEN=TOKEN, JUPYTER_PLATFORM_DIRS="0",
                   JUPYTER_NO_CONFIG="1", IPYTHONDIR=str(self.home / "ipython"))
        for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            env.pop(name, None)
        if self.runtime:
            env["JUPYTER_RUNTIME_DIR"] = str(self.runtime)
        argv = [find_program(self.kind), "--no-browser", "--ip=127.0.0.1", f"--port={self.port}",
                "--port-retries=0", "--allow-root"]
        if self.kind == "jupyter-notebook":
            argv += [f"--notebook-dir={root}", f"--NotebookApp.base_url={self.base_url}"]
        else:
            argv += [f"--ServerApp.root_dir={root}", f"--ServerApp.base_url={self.base_url}"]
        self.process = self.world.start(self.kind, argv + self.more, clean_end=False, env=env, cwd=root)
        url = f"http://127.0.0.1:{self.port}{self.base_url}api"
        wait_for(f"{self.kind} to answer", lambda: fetch(url)[0] == 200, 60)

    def stop(self):
        self.process.stop()


def fetch(url, data=None, token=None):
    """Status and body of one request; 0 when nobody answers."""
    request = urllib.request.Request(url, data=data)
    if token:
        request.add_header("Authorization", f"token {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20 * STRETCH) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def start_kernel(base):
    """The id of a new kernel of the server at `base` (http://host:port/)."""
    status, body = fetch(base + "api/kernels", data=b"{}", token=TOKEN)
    if status != 201:
        raise AssertionError(f"no kernel: {status} {body!r}")
    return json.loads(body)["id"]


def open_notebook(base, path):
    """Opens it as the browser does; the id of its kernel."""
    wanted = {"path": path, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    status, body = fetch(base + "api/sessions", data=json.dumps(wanted).encode(), token=TOKEN)
    if status != 201:
        raise AssertionError(f"no session: {status} {body!r}")
    return json.loads(body)["kernel"]["id"]


async def send_cell(connection, code):
    header = {"msg_id": "cell-1", "msg_type": "execute_request", "username": "test", "session": "test",
              "version": "5.3", "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {},
               "allow_stdin": False, "stop_on_error": False}
    await connection.write_message(json.dumps({"header": header, "parent_header": {}, "metadata": {},
                                               "content": content, "channel": "shell", "buffers": []}))


async def cell_ended(connection):
    """What the cell printed, and the name of the exception that ended it, if one did."""
    printed, raised = "", None
    while (message := await connection.read_message()) is not None:
        message = json.loads(message)
        if message.get("parent_header", {}).get("msg_id") != "cell-1":
            continue
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        elif message["msg_type"] == "error":
            raised = message["content"]["ename"]
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return printed, raised
    raise AssertionError("the WebSocket closed before the cell was done")


def on_channels(base, kernel, talk):
    """Runs the coroutine talk(connection) on the kernel's WebSocket; returns what it returns."""

    async def connected():
        url = base.replace("http://", "ws://") + f"api/kernels/{kernel}/channels?token={TOKEN}"
        # It is answered when the kernel is there, which takes its time on a busy machine.
        request = httpclient.HTTPRequest(url, connect_timeout=50 * STRETCH, request_timeout=50 * STRETCH)
        connection = await websocket.websocket_connect(request)
        try:
            return await talk(connection)
        finally:
            connection.close()

    return ioloop.IOLoop().run_sync(connected, timeout=120 * STRETCH)


def run_cell(base, code):
    """Starts a kernel at `base`, runs the code over the WebSocket, and returns what it printed."""

    async def talk(connection):
        await send_cell(connection, code)
        return await cell_ended(connection)

    printed, raised = on_channels(base, start_kernel(base), talk)
    if raised:
        raise AssertionError(f"the cell ended with {raised}")
    return printed


def runtime_files(home):
    return list(pathlib.Path(home, ".local/share/jupyter/runtime").glob("*server-*.json"))
