"""The two ways to one and the same machine: through a relay and an agent of ours, and through OpenSSH alone."""
import os
import subprocess
import tempfile
import time

from cpu import Daemons, run_counted
from lib import ME, Agent, Person, Relay, Sshd, free_port, wait_for

GB = 1e9


class Way:
    """A client's ssh to the machine, and everything in between."""

    def __init__(self, name, person, target, daemons, inner):
        self.name = name
        self.person = person
        self.target = target
        self.daemons = Daemons(*daemons, inner.process)

    def argv(self, command):
        return self.person.argv("-T", "-J", "relay", *self.target, command)

    def login(self):
        """Seconds from the start of ssh to the first byte of the command's output."""
        began = time.monotonic()
        with subprocess.Popen(self.argv("echo here"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as ssh:
            first = ssh.stdout.read(1)
            took = time.monotonic() - began
            error = ssh.communicate()[1]
        if first != b"h":
            raise RuntimeError(f"{self.name}: no login: {error.decode(errors='replace')}")
        return took

    def transfer(self, command, size, source):
        """Runs one transfer; returns {"mb_s", "cpu_s_gb"}. The remote side says the time when it is ready to begin, and,
        when it is the one that receives, when it has everything: so the login is not part of the speed."""
        with tempfile.TemporaryFile() as said, open(source, "rb") as stdin:
            self.daemons.begin()
            client = run_counted(self.argv(command), stdin=stdin, stderr=said)
            cpu_s = client["cpu_s"] + self.daemons.end()
            said.seek(0)
            words = said.read().decode(errors="replace")
        if client["status"] != 0:
            raise RuntimeError(f"{self.name}: {command}: {words}")
        times = [int(word) for word in words.split() if word.isdigit() and len(word) == 19]
        seconds = (times[1] if len(times) > 1 else client["ended_ns"]) - times[0]
        return {"mb_s": size / seconds * 1e9 / 1e6, "cpu_s_gb": cpu_s / (size / GB)}

    def up(self, path, size):
        return self.transfer("date +%s%N >&2; cat >/dev/null; date +%s%N >&2", size, path)

    def down(self, path, size):
        return self.transfer(f"date +%s%N >&2; exec cat '{path}'", size, os.devnull)


def sallyport(world, inner):
    relay = Relay(world)
    agent = Agent(world, "box1", relay, f"[service ssh]\nport = {inner.port}\n")
    agent.join()
    agent.start("ssh")
    person = Person(world, "alice", relay, inner, admin=True)
    return Way("sallyport", person, ["box1"], [relay.process, agent.process], inner), agent


def openssh(world, inner):
    """sshd as the relay and `ssh -N -R` as the machine's end, both as Debian configures them."""
    relay = Sshd(world, "sshd-relay")
    person = Person(world, ME, relay, inner, known=False)
    relay.authorize(person.key)
    port = free_port()
    tunnel = world.start("ssh-R", person.argv("-v", "-N", "-R", f"{port}:127.0.0.1:{inner.port}", "relay"),
                         clean_end=False)
    tunnel.wait_line("remote forward success")
    return Way("sshd", person, ["-p", str(port), "127.0.0.1"], [relay.process, tunnel], inner)


def random_file(path, size):
    """Bytes that nothing can compress, read once so that they are in memory."""
    with open(path, "wb") as file:
        for at in range(0, size, 1 << 22):
            file.write(os.urandom(min(1 << 22, size - at)))
    os.chmod(path, 0o644)


def in_turn(ways, number):
    """Each round begins with the other one, so that none always has the quieter moment."""
    return ways if number % 2 == 0 else ways[::-1]


def warm(way):
    """The first login stores host keys and fills caches: it is not measured."""
    wait_for(f"a login by {way.name}", way.login, 30)


__all__ = ["Way", "in_turn", "openssh", "random_file", "sallyport", "warm"]
