"""Small stand-ins of applications as they run on machines: what real ones answer to those who ask what they are."""
import http.server
import json
import threading

from .ports import free_port

# By what is asked: the answers of TensorBoard 2.15, MLflow 2.9, code-server 4.20, Ollama 0.5, vLLM 0.6, ComfyUI 0.3,
# Gradio 4.44, Streamlit 1.40, Ray 2.9 and Triton 24.01, as far as they tell what these are.
APPS = {
    "tensorboard": {
        "/": "<!doctype html><meta name=\"tb-relative-root\" content=\"./\"><title>TensorBoard</title>",
        "/data/environment": {"version": "2.15.1", "data_location": "/logs", "window_title": "",
                              "experiment_name": "", "experiment_description": "", "creation_time": 0.0},
    },
    "mlflow": {"/": "<!doctype html><html lang=\"en\"><head><title>MLflow</title></head></html>", "/health": "OK",
               "/version": "2.9.2"},
    "code-server": {"/": ("302 Found", {"Location": "./login"}, "Found. Redirecting to ./login"),
                    "/healthz": {"status": "expired", "lastHeartbeat": 0}},
    "ollama": {
        "/": "Ollama is running", "/api/version": {"version": "0.5.1"},
        "/api/ps": {"models": [{"name": "llama3:8b", "model": "llama3:8b", "size_vram": 6654289920}]},
        "/v1/models": {"object": "list", "data": [{"id": "llama3:8b", "object": "model", "owned_by": "library"}]},
    },
    "vllm": {
        "/version": {"version": "0.6.1"},
        "/v1/models": {"object": "list", "data": [{"id": "meta-llama/Llama-3-8B", "object": "model",
                                                   "owned_by": "vllm", "max_model_len": 8192}]},
    },
    "comfyui": {
        "/": "<!DOCTYPE html><html lang=\"en\"><head><title>ComfyUI</title></head></html>",
        "/system_stats": {"system": {"os": "posix", "comfyui_version": "v0.3.10"}, "devices": [{"name": "cuda:0"}]},
    },
    "gradio": {"/": "<!doctype html><html><head><script>window.gradio_config = {\"version\":\"4.44.0\",\"mode\":"
                    "\"blocks\"};</script></head><body><gradio-app></gradio-app></body></html>"},
    "streamlit": {"/": "<!doctype html><html lang=\"en\"><head><title>Streamlit</title></head></html>",
                  "/_stcore/health": "ok"},
    "ray": {"/": "<!doctype html><html lang=\"en\"><head><title>Ray Dashboard</title></head></html>",
            "/api/version": {"version": "4", "ray_version": "2.9.0", "ray_commit": "9be5a16"}},
    "triton": {"/v2": {"name": "triton", "version": "2.42.0", "extensions": ["classification"]}},
}


class Application:
    """One of them, by its name; or another one, by its answers. Says what it was asked, in `asked`."""

    def __init__(self, world, name, answers=None, port=None):
        self.name = name
        self.answers = dict(APPS[name] if answers is None else answers)
        self.asked = []
        self.port = port or free_port()
        self.hold = threading.Event()  # /quiet ends once it is set
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        world.at_end(self.stop)

    def stop(self):
        if self.thread:
            self.hold.set()
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
        self.thread = None

    def _handler(self):
        app = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                app.asked.append((self.command, self.path, self.headers.get("Host", "")))
                if self.path == "/quiet":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b"now quiet\n")
                    app.hold.wait(300)
                    return
                answer = app.answers.get(self.path, ("404 Not Found", {}, "{\"detail\":\"Not Found\"}"))
                status, fields, body = answer if isinstance(answer, tuple) else ("200 OK", {}, answer)
                if isinstance(body, dict):
                    fields, body = {"Content-Type": "application/json", **fields}, json.dumps(body)
                self.send_response(int(status[:3]), status[4:])
                for name, value in {"Content-Length": str(len(body.encode())), **fields}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def do_POST(self):
                app.asked.append((self.command, self.path, self.headers.get("Host", "")))
                self.send_error(405)

            def log_message(self, *_args):
                """Nothing: stderr is the test's."""

        return Handler
