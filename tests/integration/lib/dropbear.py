"""A private dropbear server, the smallest of the stock SSH servers."""
import os

from .ports import free_port
from .process import run
from .world import find_program


class Dropbear:
    """It takes authorized_keys from the home folder in /etc/passwd and nowhere else. So it runs in a mount namespace
    of its own in which root's home is a folder of the test; the account to log in to is root, which for an ordinary
    user is itself, in a user namespace."""

    user = "root"

    def __init__(self, world, name="dropbear"):
        self.world = world
        self.name = name
        self.port = free_port()
        self.home = world.folder(f"{name}-home")
        (self.home / ".ssh").mkdir(mode=0o700)
        self.authorized = self.home / ".ssh" / "authorized_keys"
        self.authorized.touch(mode=0o600)
        self.host_key = world.path(f"{name}-host")
        made = run([find_program("dropbearkey"), "-t", "ed25519", "-f", str(self.host_key)])
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        self.public_host_key = next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519"))
        self.process = None
        self.start()

    def start(self):
        unshare = ["unshare", "--mount"] + (["--map-root-user"] if os.getuid() != 0 else [])
        # In the foreground (-F), messages to stderr (-E), no passwords (-s).
        server = [find_program("dropbear"), "-F", "-E", "-s", "-r", str(self.host_key),
                  "-P", str(self.world.path(f"{self.name}.pid")), "-p", f"127.0.0.1:{self.port}"]
        script = 'mount --bind "$1" /root && shift && exec "$@"'
        self.process = self.world.start(self.name, [*unshare, "sh", "-c", script, "sh", str(self.home), *server],
                                        clean_end=False)
        self.process.wait_line("Not backgrounding")

    def authorize(self, key):
        with open(self.authorized, "a", encoding="ascii") as file:
            file.write(self.world.public(key) + "\n")
