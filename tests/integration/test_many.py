"""500 machines in one relay: all online, all reachable, cheap while idle, gone when they are gone."""
import os
import subprocess
import time
import unittest

from lib import SANITIZED, STRETCH, Case, Person, Relay, end_popen, run, wait_for

COUNT = 500
PROGRAM = os.environ.get("SALLYPORT_MANY_AGENTS", "many_agents")


class Many(Case):
    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.alice = Person(cls.world, "alice", cls.relay, admin=True)
        cls.keys = cls.world.folder("keys")
        made = run([PROGRAM, "keys", cls.keys, str(COUNT)])
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        for n in range(COUNT):
            cls.relay.ctl("machine", "add", f"load{n}", (cls.keys / f"{n}.pub").read_text(encoding="ascii").strip())

    def online(self):
        return sum(machine["online"] for machine in self.relay.machines().values())

    def start(self):
        with open(self.world.path("load.log"), "wb") as log:
            load = subprocess.Popen([PROGRAM, "run", str(self.relay.port), self.keys, str(COUNT)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.addCleanup(end_popen, load)
        self.assertEqual(load.stdout.readline(), b"ready\n")
        wait_for(f"{COUNT} machines online", lambda: self.online() == COUNT, 60)
        return load

    def echo(self, name):
        client = self.alice.start("-W", f"{name}:7777", "relay")
        client.stdin.write(b"hello")
        client.stdin.flush()
        self.assertEqual(client.stdout.read(5), b"hello", name)
        client.kill()
        client.wait()

    def test_500_machines(self):
        before = self.relay.process.memory()
        load = self.start()
        each = (self.relay.process.memory() - before) / COUNT
        if not SANITIZED:
            self.assertLess(each, 80 << 10, f"{each / 1024:.0f} KiB for each idle machine")
        for n in (0, 1, COUNT // 2, COUNT - 1):
            self.echo(f"load{n}")
        began, cpu = time.monotonic(), self.relay.process.cpu_seconds()
        time.sleep(20)
        share = (self.relay.process.cpu_seconds() - cpu) / (time.monotonic() - began)
        self.assertEqual(self.online(), COUNT, "some were dropped though they pinged")
        self.assertLess(share, 0.1 * STRETCH, "the relay is busy with machines that do nothing")
        load.kill()
        wait_for("all to be offline", lambda: self.online() == 0, 60)
        again = self.start()
        self.echo("load7")
        again.stdin.close()
        self.assertEqual(again.wait(30 * STRETCH), 0, "a machine was lost on the way")


if __name__ == "__main__":
    unittest.main()
