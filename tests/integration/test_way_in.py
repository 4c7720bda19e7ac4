"""The way in: a stock ssh, scp, sftp and rsync through the relay to a machine's sshd and to its other services."""
import hashlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import unittest

from lib import (SANITIZED, STRETCH, Case, Person, Relay, deaf, digest_at_end, echo, free_port, greet_then_collect,
                 pour, run, wait_for)

MIB = 1 << 20
SERVICES = "[service {name}]\nport = {port}\nkind = tcp\n"


class WayIn(Case):
    @classmethod
    def begin(cls):
        serve = cls.world.serve
        cls.servers = {"echo": serve(echo), "digest": serve(digest_at_end), "greet": serve(greet_then_collect),
                       "pour": serve(pour), "deaf": serve(deaf)}
        config = "".join(SERVICES.format(name=name, port=server.port) for name, server in cls.servers.items())
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent(config)
        # RekeyLimit holds for the connection to the relay as well as for the one inside it.
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True, more="    RekeyLimit 16M\n")
        cls.relay.wait_online("box1", "ssh", *cls.servers)

    def jump(self, *words, **how):
        return self.alice.ssh("-J", "relay", "box1", *words, **how)

    def random_file(self, name, size):
        path = self.world.path(name)
        with open(path, "wb") as file:
            for _ in range(0, size, MIB):
                file.write(os.urandom(min(size, MIB)))
        return path

    def test_a_command_runs_and_its_exit_status_comes_back(self):
        done = self.jump("echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout), (7, "out\n"))
        self.assertIn("err\n", done.stderr)
        self.assertEqual(self.jump("true").returncode, 0)

    def test_a_signal_ends_the_command_as_it_does_without_a_relay(self):
        command = "kill -TERM $$"
        near = self.alice.ssh("-p", str(self.sshd.port), "127.0.0.1", command)
        far = self.jump(command)
        self.assertEqual((far.returncode, far.stdout), (near.returncode, near.stdout))
        self.assertNotEqual(far.returncode, 0)

    def test_a_killed_ssh_ends_what_ran_on_its_terminal(self):
        note = self.world.path("pid-note")
        client = self.alice.start("-tt", "-J", "relay", "box1", f"echo $$ > {note}; exec sleep 1000")
        pid = int(wait_for("the remote command to start", lambda: note.exists() and note.read_text().strip()))
        client.send_signal(signal.SIGKILL)
        wait_for("the remote command to be hung up", lambda: not pathlib.Path(f"/proc/{pid}").exists())

    def test_w_gives_the_bytes_of_sshd(self):
        client = self.alice.start("-W", "box1:22", "relay")
        self.assertRegex(client.stdout.readline(), rb"^SSH-2\.0-OpenSSH")

    def test_capitals_and_a_trailing_dot_are_the_same_machine(self):
        client = self.alice.start("-W", "BOX1.:22", "relay")
        self.assertRegex(client.stdout.readline(), rb"^SSH-2\.0-OpenSSH")

    def test_scp_both_ways(self):
        file, there, back = self.random_file("scp", 8 * MIB), self.world.path("scp-there"), self.world.path("scp-back")
        for source, target in ((file, f"box1:{there}"), (f"box1:{there}", back)):
            done = run(self.alice.argv("-q", "-J", "relay", source, target, program="scp"))
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(file.read_bytes(), back.read_bytes())

    def test_sftp_both_ways(self):
        file, there, back = self.random_file("sftp", 8 * MIB), self.world.path("sftp-there"), self.world.path("sftp-b")
        batch = self.world.path("sftp-batch")
        batch.write_text(f"put {file} {there}\nget {there} {back}\nls {self.world.root}\n", encoding="utf-8")
        done = run(self.alice.argv("-J", "relay", "-b", batch, "box1", program="sftp"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(file.read_bytes(), back.read_bytes())

    def test_rsync_both_ways(self):
        tree = self.world.folder("rsync-tree")
        for n in range(50):
            (tree / f"file{n}").write_bytes(os.urandom(20000 + n))
        there, back = self.world.path("rsync-there"), self.world.path("rsync-back")
        shell = " ".join(self.alice.argv("-J", "relay"))
        for source, target in ((f"{tree}/", f"box1:{there}/"), (f"box1:{there}/", f"{back}/")):
            done = run(["rsync", "-a", "-e", shell, source, target])
            self.assertEqual(done.returncode, 0, done.stderr)
        for file in tree.iterdir():
            self.assertEqual(file.read_bytes(), (back / file.name).read_bytes())

    def test_256_mib_both_ways_with_rekeying(self):
        file = self.random_file("big", 256 * MIB)
        self.addCleanup(file.unlink)
        with open(file, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        with open(file, "rb") as stream:
            done = self.jump("sha256sum", stdin=stream, timeout=180)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split()[0], digest)
        argv = self.alice.argv("-v", "-J", "relay", "box1", f"cat {file}")
        taken = hashlib.sha256()
        with open(self.world.path("big-client.log"), "wb") as log, \
                subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as client:
            while chunk := client.stdout.read(MIB):
                taken.update(chunk)
        self.assertEqual((client.returncode, taken.hexdigest()), (0, digest))
        rekeyed = self.world.path("big-client.log").read_bytes().count(b"SSH2_MSG_NEWKEYS received")
        self.assertGreater(rekeyed, 2 * 8, "the client did not change its keys under way: the test shows nothing")

    def connect(self, port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=30 * STRETCH)
        self.addCleanup(connection.close)
        return connection

    def forward(self, *names):
        """Local ports that lead to the services; and their ssh, ended with the test."""
        process, ports = self.alice.forward(*[f"box1:{self.servers[name].port}" for name in names])
        self.addCleanup(process.stop)
        return process, ports

    def test_100_channels_at_once_on_one_connection(self):
        _, [port] = self.forward("echo")
        before = self.servers["echo"].accepted
        connections = [self.connect(port) for _ in range(100)]
        for n, connection in enumerate(connections):
            connection.sendall(b"%03d" % n)
        for n, connection in enumerate(connections):
            self.assertEqual(receive(connection, 3), b"%03d" % n)
        self.assertEqual(self.servers["echo"].accepted - before, 100, "they are not open all at once")
        for n, connection in enumerate(connections):
            connection.sendall(bytes([n]) * 20000)
        for n, connection in enumerate(connections):
            self.assertEqual(receive(connection, 20000), bytes([n]) * 20000)
            connection.close()
        wait_for("the machine's ends to close", lambda: self.servers["echo"].open == 0)

    def test_half_close_from_the_client(self):
        _, [port] = self.forward("digest")
        connection = self.connect(port)
        data = os.urandom(3 * MIB)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(receive(connection), hashlib.sha256(data).hexdigest().encode())

    def test_half_close_from_the_service(self):
        _, [port] = self.forward("greet")
        connection = self.connect(port)
        self.assertEqual(receive(connection), b"that is all from me")
        # The service has closed its direction; ours still has to work.
        data = os.urandom(3 * MIB)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        # The agent, too, may have looked what this service is: its request does not count.
        wait_for("the service to get the rest", lambda: data in self.servers["greet"].taken)

    def test_a_lost_client_closes_the_service_s_end(self):
        process, [port] = self.forward("echo")
        connection = self.connect(port)
        connection.sendall(b"x")
        self.assertEqual(receive(connection, 1), b"x")
        process.kill()
        wait_for("the service's connection to end", lambda: self.servers["echo"].open == 0)

    def round_trip(self, connection):
        began = time.monotonic()
        connection.sendall(b"ping")
        self.assertEqual(receive(connection, 4), b"ping")
        return time.monotonic() - began

    def test_stalled_readers_are_bounded_and_harm_nobody(self):
        channels = 16
        _, [pour_port, deaf_port] = self.forward("pour", "deaf")
        _, [echo_port] = self.forward("echo")
        other = self.connect(echo_port)
        self.round_trip(other)
        before = self.relay.process.memory()
        stalled = [self.connect(pour_port) for _ in range(channels // 2)]
        for _ in range(channels // 2):
            writer = socket.create_connection(("127.0.0.1", deaf_port))
            self.addCleanup(writer.close)
            writer.settimeout(1.0)
            try:
                while True:
                    writer.send(bytes(65536))
            except TimeoutError:
                stalled.append(writer)
        poured = self.servers["pour"]
        def has_stalled():
            sent = poured.sent
            time.sleep(1.5)
            return sent > 0 and poured.sent == sent
        wait_for("the senders to be held back", has_stalled, 60)
        growth = self.relay.process.memory() - before
        # AddressSanitizer keeps freed memory for a while, so only the plain build can tell.
        if not SANITIZED:
            self.assertLess(growth, channels * 2 * MIB, f"{growth} bytes for {channels} stalled channels")
        took = sorted(self.round_trip(other) for _ in range(20))
        self.assertLess(took[15], 1.0 * STRETCH, "a stalled neighbour slows a channel down")

    def test_reading_on_after_a_stall_loses_nothing(self):
        _, [port] = self.forward("echo")
        connection = self.connect(port)
        data = os.urandom(64 * MIB)
        sent = 0
        connection.settimeout(1.0)
        try:
            while sent < len(data):
                sent += connection.send(data[sent:sent + 65536])
        except TimeoutError:
            pass
        self.assertLess(sent, len(data), "nothing was held back: the test shows nothing")
        connection.settimeout(60 * STRETCH)
        taken = bytearray()
        while len(taken) < sent:
            chunk = connection.recv(65536)
            self.assertTrue(chunk, "closed in the middle")
            taken += chunk
        self.assertEqual(hashlib.sha256(taken).digest(), hashlib.sha256(data[:sent]).digest())

    def test_two_connections_of_ssh_share_a_master(self):
        control = self.world.path("master")
        master = self.alice.start("-M", "-S", str(control), "-N", "relay")
        self.addCleanup(master.kill)
        wait_for("the master", control.exists)
        clients = [self.alice.start("-S", str(control), "-W", "box1:22", "relay") for _ in range(20)]
        for client in clients:
            self.assertRegex(client.stdout.readline(), rb"^SSH-2\.0-OpenSSH")


class Refusals(Case):
    @classmethod
    def begin(cls):
        cls.web = cls.world.serve(echo)
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.relay.ctl("machine", "add", "box2", cls.world.public(cls.world.key("box2")))

    def refusal(self, *words):
        done = self.alice.ssh(*words)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_an_unknown_machine(self):
        for words in (("-J", "relay", "box9", "true"), ("-W", "box9:22", "relay")):
            self.assertRegex(self.refusal(*words), r"(?i)disconnect.*box9")

    def test_the_reason_is_never_lost(self):
        """It goes out behind other words, and a connection that ends may take it along."""
        for _ in range(20):
            self.assertIn("box9", self.refusal("-J", "relay", "box9", "true"))

    def test_a_machine_that_is_offline(self):
        for words in (("-J", "relay", "box2", "true"), ("-W", "box2:22", "relay")):
            self.assertRegex(self.refusal(*words), r"(?i)disconnect.*box2.*(offline|never)")

    def test_a_port_that_is_not_published(self):
        self.assertRegex(self.refusal("-W", f"box1:{self.web.port}", "relay"), rf"(?i)disconnect.*{self.web.port}")

    def test_ssh_and_a_browser_see_the_reason_behind_l(self):
        process, [ssh_port, http_port] = self.alice.forward("box9:22", "box1:9999")
        self.addCleanup(process.stop)
        done = self.alice.ssh("-p", str(ssh_port), "127.0.0.1", "true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("box9", done.stderr)
        done = run(["curl", "-sS", "-i", f"http://127.0.0.1:{http_port}/"])
        self.assertRegex(done.stdout, r"^HTTP/1\.1 502 ")
        self.assertIn("9999", done.stdout)
        wait_for("the reason at ssh -v", lambda: re.search(r"(?i)debug.*box9", process.text()))

    def test_one_refusal_does_not_end_a_connection_with_other_channels(self):
        process, [good, bad] = self.alice.forward("box1:22", "box9:22")
        self.addCleanup(process.stop)
        with socket.create_connection(("127.0.0.1", good), timeout=30) as first:
            self.assertTrue(receive(first, 4))
            with socket.create_connection(("127.0.0.1", bad), timeout=30) as second:
                second.sendall(b"SSH-2.0-test\r\n")
                receive(second)
            with socket.create_connection(("127.0.0.1", good), timeout=30) as third:
                self.assertTrue(receive(third, 4))
        self.assertTrue(process.alive())

    def test_a_machine_may_not_go_to_another(self):
        machine = Person(self.world, "box2", self.relay, known=False)
        done = machine.ssh("-W", "box1:22", "relay")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("SSH-2.0", done.stdout)

    def test_a_person_may_not_publish(self):
        done = self.alice.ssh("-N", "-R", "ssh:22:localhost:22", "relay")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("alice", self.relay.machines())

    def test_unix_sockets_agents_and_x11_are_refused(self):
        socket_path = self.world.path("agent.sock")
        done = self.alice.ssh("-N", "-R", f"/tmp/never:{socket_path}", "relay")
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(os.path.exists("/tmp/never"))


class Addresses(Case):
    def test_ipv4_and_ipv6_at_once(self):
        port = free_port()
        relay = Relay(self.world, port=port, listen=[f"127.0.0.1:{port}", f"[::1]:{port}"])
        alice = Person(self.world, "alice", relay, admin=True)
        for address in ("127.0.0.1", "::1"):
            done = alice.ssh("-o", f"HostName={address}", "relay", "whoami")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("alice", done.stdout)


def receive(connection, n=None):
    """Exactly n bytes, or all up to the end."""
    taken = bytearray()
    while n is None or len(taken) < n:
        chunk = connection.recv(65536 if n is None else n - len(taken))
        if not chunk:
            break
        taken += chunk
    return bytes(taken)


if __name__ == "__main__":
    unittest.main()
