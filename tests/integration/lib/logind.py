"""A system bus of our own with a stand-in for logind on it (tests/stand/logind_stand.c)."""
import os
import pathlib
import subprocess

from .process import wait_for

STAND = os.environ.get("SALLYPORT_LOGIND_STAND", "logind_stand")
CONFIG = pathlib.Path(__file__).resolve().parent.parent.parent / "stand" / "bus.conf"


class Logind:
    def __init__(self, world):
        folder = world.folder("bus")
        self.env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/socket"}
        world.start("bus", ["dbus-daemon", f"--config-file={CONFIG}", f"--address=unix:path={folder}/socket",
                            "--nofork", "--nopidfile"], clean_end=False)
        wait_for("the bus", (folder / "socket").exists)
        self.log = world.path("logind.log")
        with open(self.log, "wb") as output:
            # Standard input is how it is told to put the machine to sleep: world.start gives none.
            self.popen = subprocess.Popen([STAND], env=self.env, stdin=subprocess.PIPE, stdout=output)
        world.at_end(self.close)
        self.wait("ready")

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def count(self, text):
        return self.said().count(text)

    def wait(self, text, times=1, timeout=20.0):
        wait_for(f"logind to say {text!r} {times} times", lambda: self.count(text) >= times, timeout)

    def order(self, word):
        self.popen.stdin.write(f"{word}\n".encode())
        self.popen.stdin.flush()

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)
