"""A real Jupyter behind the relay: found by itself, reached with `ssh -L`, and followed when it stops or moves."""
import os
import time
import unittest

from lib import STRETCH, Agent, Case, Person, Relay, Sshd, free_port, wait_for
from lib.jupyter import Jupyter, fetch, run_cell, runtime_files

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


def environment(home):
    """The agent looks for runtime files below its own user's home: give it one that is empty."""

    env = dict(os.environ, HOME=str(home))
    for name in ("XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        env.pop(name, None)
    return env


if __name__ == "__main__":
    unittest.main()
