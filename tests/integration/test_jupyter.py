"""A real Jupyter behind the relay: found by itself, reached with `ssh -L`, and followed when it stops or moves; its
notebooks are told, its token is not."""
import json
import os
import pathlib
import time
import unittest

from lib import ME, STRETCH, Agent, Case, Person, Relay, Sshd, free_port, wait_for
from lib.jupyter import (TOKEN, Jupyter, cell_ended, fetch, on_channels, open_notebook, run_cell, runtime_files,
                         send_cell)
from lib.nvml import Gpus

# What DESIGN promises, and what is granted to a busy test machine on top of it.
NOTICED = 10.0
GRACE = 3.0


class Jupyters(Case):
    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.sshd = Sshd(cls.world)
        cls.home = cls.world.folder("home")
        cls.agent = Agent(cls.world, "box1", cls.relay, f"[service ssh]\nport = {cls.sshd.port}\n",
                          env=environment(cls.home))
        cls.agent.join()
        cls.agent.start("ssh")
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)

    def published(self, port):
        """The service with that port on the machine, if there is one. Other Jupyters may run on this computer."""
        return [name for name, service in self.relay.services("box1").items()
                if service["port"] == port and service["kind"] == "http"]

    def wait_published(self, port):
        began = time.monotonic()
        [name] = wait_for(f"port {port} to be published", lambda: self.published(port), 30)
        self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)
        return name

    def wait_withdrawn(self, port):
        began = time.monotonic()
        wait_for(f"port {port} to be withdrawn", lambda: not self.published(port), 30)
        self.assertLess(time.monotonic() - began, (NOTICED + GRACE) * STRETCH)

    def jupyter(self, kind, **how):
        jupyter = Jupyter(self.world, kind, home=self.home, **how)
        self.addCleanup(jupyter.stop)
        return jupyter

    def check_cell(self, jupyter):
        process, [port] = self.alice.forward(f"box1:{jupyter.port}")
        self.addCleanup(process.stop)
        base = f"http://127.0.0.1:{port}{jupyter.base_url}"
        self.assertEqual(run_cell(base, "print(6 * 7)"), "42\n")
        big = run_cell(base, "print('x' * 500_000)")
        self.assertEqual(len(big), 500_001)
        return base

    def test_notebook_is_found_and_runs_a_cell(self):
        jupyter = self.jupyter("jupyter-notebook")
        self.assertTrue(runtime_files(self.home), "no runtime file where an ordinary set-up has it")
        self.wait_published(jupyter.port)
        base = self.check_cell(jupyter)
        status, body = fetch(base + "tree", token="a-token-of-the-test")
        self.assertEqual(status, 200)
        self.assertIn(b"Jupyter", body)

    def test_server_is_found_moved_and_lost(self):
        jupyter = self.jupyter("jupyter-server")
        old = jupyter.port
        self.wait_published(old)
        self.check_cell(jupyter)
        jupyter.stop()
        self.wait_withdrawn(old)
        jupyter.start(port=free_port())
        self.wait_published(jupyter.port)
        self.assertEqual(self.published(old), [])
        self.check_cell(jupyter)

    def test_killed_server_is_withdrawn_though_its_runtime_file_stays(self):
        jupyter = self.jupyter("jupyter-server")
        self.wait_published(jupyter.port)
        jupyter.process.kill()
        self.assertTrue(runtime_files(self.home))
        self.wait_withdrawn(jupyter.port)

    def test_server_with_a_base_url(self):
        jupyter = self.jupyter("jupyter-server", base_url="/user/ann/")
        self.wait_published(jupyter.port)
        self.check_cell(jupyter)

    def test_server_that_only_its_socket_tells_of(self):
        jupyter = Jupyter(self.world, "jupyter-server", home=self.world.folder("elsewhere"))
        self.addCleanup(jupyter.stop)
        self.wait_published(jupyter.port)
        self.check_cell(jupyter)

    def test_8888_is_the_first_jupyter(self):
        jupyter = self.jupyter("jupyter-server")
        self.wait_published(jupyter.port)
        if self.published(8888) or "jupyter" not in self.published(jupyter.port):
            self.skipTest("another Jupyter on this computer is the first")
        process, [port] = self.alice.forward("box1:8888")
        self.addCleanup(process.stop)
        self.assertEqual(fetch(f"http://127.0.0.1:{port}/api")[0], 200)


class Notebooks(Case):
    """What `list --json` says of the notebooks; a machine for each test, as one Jupyter is the first of its machine."""

    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.home = cls.world.folder("home")
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)

    def machine(self, name, config="", env=None):
        self.agent = Agent(self.world, name, self.relay, config, env=env or environment(self.home))
        self.agent.join()
        self.agent.start()
        self.addCleanup(self.agent.process.stop)
        return name

    def jupyter(self, kind, **how):
        jupyter = Jupyter(self.world, kind, **{"home": self.home, **how})
        self.addCleanup(jupyter.stop)
        return jupyter, f"http://127.0.0.1:{jupyter.port}{jupyter.base_url}"

    def told(self, name, port):
        """The service on that port as `list --json` has it, by ssh; {} while there is none."""
        listed = self.alice.verb("list", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        machine = next(machine for machine in json.loads(listed.stdout) if machine["name"] == name)
        return next((service for service in machine["services"] if service["port"] == port), {})

    def wait_notebooks(self, name, port, wanted):
        wait_for(f"the notebooks of {name} to be {wanted}",
                 lambda: self.told(name, port).get("notebooks") == wanted, 30)
        self.assertEqual(self.told(name, port)["notebook_count"], len(wanted))

    def are_notebooks(self, name, port, wanted):
        """Whether it comes to that within a few rounds of the agent's questions."""
        try:
            wait_for("", lambda: self.told(name, port).get("notebooks") == wanted, 12)
        except AssertionError:
            return False
        return True

    def check_life(self, name, jupyter, base):
        idle = {"name": "Trial.ipynb", "kernel": "python3", "state": "idle"}
        self.wait_notebooks(name, jupyter.port, [])
        kernel = open_notebook(base, "work/Trial.ipynb")

        def interrupt():
            self.assertEqual(fetch(f"{base}api/kernels/{kernel}/interrupt", data=b"", token=TOKEN)[0], 204)

        async def talk(connection):
            # Jupyter itself sometimes misses what a new kernel says first, and takes it for starting or idle though a
            # cell runs: then another cell shows it (not the same one twice: kernels drop messages that they know).
            for number in range(5):
                await send_cell(connection, f"import time; print('on', {number}); time.sleep(3600)")
                while json.loads(await connection.read_message())["msg_type"] != "stream":
                    pass
                if self.are_notebooks(name, jupyter.port, [{**idle, "state": "busy"}]):
                    break
                interrupt()
                await cell_ended(connection)
            self.wait_notebooks(name, jupyter.port, [{**idle, "state": "busy"}])
            interrupt()
            return await cell_ended(connection)

        self.assertEqual(on_channels(base, kernel, talk)[1], "KeyboardInterrupt")
        self.wait_notebooks(name, jupyter.port, [idle])

    def check_secrecy(self, name, jupyter):
        """Nothing that the relay says or keeps has the token in it, nor what the agent tells its own people."""
        said = {"agent status": self.agent.try_status(), "agent status --json": self.agent.try_status("--json")}
        for verb in (("list",), ("list", "--json"), ("status", name), ("status", name, "--json"), ("audit",)):
            said[" ".join(verb)] = self.alice.verb(*verb)
        for what, done in said.items():
            self.assertNotIn(TOKEN, done.stdout + done.stderr, what)
        for process in (self.relay.process, self.agent.process):
            with open(f"/proc/{process.pid}/cmdline", "rb") as line, open(process.log, "rb") as log:
                self.assertNotIn(TOKEN.encode(), line.read())
                self.assertNotIn(TOKEN.encode(), log.read())
        for file in [*self.relay.state.rglob("*"), *self.agent.state.rglob("*")]:
            if file.is_file():
                self.assertNotIn(TOKEN.encode(), file.read_bytes(), file)

    def log_lines(self, jupyter, text):
        return [line for line in jupyter.process.text().splitlines() if text in line]

    def test_notebooks_of_a_server(self):
        jupyter, base = self.jupyter("jupyter-server", base_url="/user/ann/")
        name = self.machine("server")
        self.check_life(name, jupyter, base)
        self.check_secrecy(name, jupyter)

    def test_notebooks_of_the_classic_notebook(self):
        jupyter, base = self.jupyter("jupyter-notebook")
        name = self.machine("classic")
        self.check_life(name, jupyter, base)
        self.check_secrecy(name, jupyter)

    def test_an_open_server(self):
        jupyter, _ = self.jupyter("jupyter-server", more=["--ServerApp.token="])
        self.wait_notebooks(self.machine("open"), jupyter.port, [])

    def test_whose_notebook_is_on_a_gpu(self):
        gpus = Gpus(self.world)
        env = environment(self.home)
        env.update((name, gpus.env[name]) for name in ("LD_LIBRARY_PATH", "SALLYPORT_NVML_SCRIPT"))
        jupyter, base = self.jupyter("jupyter-server")
        kernel = open_notebook(base, "work/Trial.ipynb")
        pid = wait_for("the kernel's process", lambda: pid_of(f"kernel-{kernel}.json"), 30)
        gpus.play(f"process 1 {pid} 4096 80")
        self.machine("notebooks-gpu", "sample_interval = 1\n", env)

        def told():
            status = self.relay.machine("notebooks-gpu").get("status", {})
            return next((process for process in status.get("processes", []) if process["pid"] == pid), {})

        wait_for("the process to be told with its notebook", lambda: told().get("notebook") == "work/Trial.ipynb", 30)
        self.assertEqual(told()["gpus"], [1])
        self.assertEqual(told()["user"], ME)
        self.assertIn("ipykernel", told()["command"])
        self.assertEqual(told()["gpu_memory_used_bytes"], 4096 << 20)
        jupyter.stop()
        wait_for("it to be gone", lambda: not told() or told().get("ended"), 30)

    def test_a_token_file_tells_what_is_out_of_sight(self):
        # Its runtime file is in a home where nobody looks, as that of a container is.
        jupyter, base = self.jupyter("jupyter-server", home=self.world.folder("container"))
        token_file = self.world.path("jupyter.token")
        name = self.machine("hidden", f"[service jupyter]\ntoken_file = {token_file}\n")
        wait_for("it to be published", lambda: self.told(name, jupyter.port), 30)
        wait_for("it to be asked", lambda: self.log_lines(jupyter, "403 GET /api/sessions"), 30)
        self.assertNotIn("notebook_count", self.told(name, jupyter.port))
        token_file.touch(mode=0o600)
        token_file.write_text(TOKEN + "\n", encoding="ascii")
        self.check_life(name, jupyter, base)
        self.assertEqual(len(self.log_lines(jupyter, "403 GET /api/sessions")), 1)
        self.check_secrecy(name, jupyter)


def pid_of(word):
    """The first process with that in its command line; None when there is none."""
    for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in line.read_bytes():
                return int(line.parent.name)
        except OSError:
            pass
    return None


def environment(home):
    """The agent looks for runtime files below its own user's home: give it one that is empty."""

    env = dict(os.environ, HOME=str(home))
    for name in ("XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        env.pop(name, None)
    return env


if __name__ == "__main__":
    unittest.main()
