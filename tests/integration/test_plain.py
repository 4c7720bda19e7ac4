"""Without our parts: a bare ssh instead of the agent, and stock SSH servers instead of the relay."""
import socket
import unittest

from lib import ME, Agent, Case, Person, Relay, Sshd, digest_at_end, echo, free_port, run, wait_for
from lib.dropbear import Dropbear


class BareSsh(Case):
    """`ssh -N -R` is a machine like any other."""

    @classmethod
    def begin(cls):
        cls.relay = Relay(cls.world)
        cls.sshd = Sshd(cls.world)
        cls.web = cls.world.serve(echo)
        cls.digest = cls.world.serve(digest_at_end)
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.machine = Person(cls.world, "box1", cls.relay, known=False)
        cls.relay.ctl("machine", "add", "box1", cls.world.public(cls.machine.key))

    def tunnel(self):
        process = self.world.start("bare-ssh", self.machine.argv(
            "-N", "-R", f"ssh:22:127.0.0.1:{self.sshd.port}", "-R", f"jupyter:8888:127.0.0.1:{self.web.port}",
            "-R", f"digest:7000:127.0.0.1:{self.digest.port}", "relay"), clean_end=False)
        self.addCleanup(process.stop)
        self.relay.wait_online("box1", "ssh", "jupyter", "digest")
        return process

    def test_people_reach_it_in_the_same_way(self):
        self.tunnel()
        services = self.relay.services("box1")
        self.assertEqual((services["ssh"]["kind"], services["jupyter"]["kind"], services["digest"]["kind"]),
                         ("ssh", "http", "tcp"))
        done = self.alice.ssh("-J", "relay", "box1", "echo in; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, "in\n"), done.stderr)
        process, [port] = self.alice.forward("box1:8888")
        self.addCleanup(process.stop)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"hello")
            self.assertEqual(connection.recv(5), b"hello")

    def test_it_is_gone_when_it_is_gone_and_back_when_it_is_back(self):
        process = self.tunnel()
        process.kill()
        self.relay.wait_offline("box1", 10)
        self.tunnel()

    def test_a_second_one_takes_its_place(self):
        first = self.tunnel()
        self.tunnel()
        first.wait(20)
        self.assertIn("replaced by a newer connection of this machine", first.text())
        self.assertEqual(self.alice.ssh("-J", "relay", "box1", "true").returncode, 0)

    def test_a_service_that_does_not_answer(self):
        dead = free_port()
        process = self.world.start("dead-end", self.machine.argv("-N", "-R", f"dead:7100:127.0.0.1:{dead}", "relay"),
                                   clean_end=False)
        self.addCleanup(process.stop)
        self.relay.wait_online("box1", "dead")
        done = self.alice.ssh("-W", "box1:7100", "relay")
        self.assertNotEqual(done.returncode, 0)


class StockServer(Case):
    """`mode = plain`: the agent keeps ordinary reverse tunnels on a server that knows nothing of Sallyport."""

    @classmethod
    def begin(cls):
        cls.sshd = Sshd(cls.world)
        cls.echo = cls.world.serve(echo)
        cls.key = cls.world.key("machine")
        cls.person = cls.world.key("person")
        cls.sshd.authorize(cls.person)

    def start_agent(self, name, server, user, host_key):
        """The agent brings its sshd and an echo to two ports of the server's loopback."""
        fingerprint = run(["ssh-keygen", "-lf", str(host_key)]).stdout.split()[1]
        ports = free_port(), free_port()
        agent = Agent(self.world, name, None, f"""
mode = plain
server = {user}@127.0.0.1:{server.port}
server_key = {fingerprint}
identity = {self.key}

[service ssh]
port = {self.sshd.port}
remote_port = {ports[0]}

[service echo]
port = {self.echo.port}
kind = tcp
remote_port = {ports[1]}
""")
        server.authorize(self.key)
        agent.start()
        self.addCleanup(agent.process.stop)
        return agent, ports

    def check(self, ports, timeout=40):
        """Both services answer at the server's ports; within the time that coming back may take."""
        def login():
            return run(["ssh", "-F", "none", "-i", str(self.person), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-p", str(ports[0]),
                        f"{ME}@127.0.0.1", "echo in"])
        wait_for("a login through the stock server", lambda: login().stdout == "in\n", timeout, pause=0.5)
        connect = lambda: socket.create_connection(("127.0.0.1", ports[1]), timeout=20)
        with wait_for("the other service", connect, timeout, pause=0.5) as connection:
            connection.sendall(b"hello")
            self.assertEqual(connection.recv(5), b"hello")
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(5), b"")

    def check_server(self, name, server, user, host_key):
        agent, ports = self.start_agent(name, server, user, host_key)
        self.check(ports)
        server.process.stop()
        server.start()
        self.check(ports, 60)
        agent.process.kill()
        agent.start()
        self.check(ports, 60)

    def test_openssh(self):
        server = Sshd(self.world, "stock-sshd")
        self.check_server("boxo", server, ME, f"{server.host_key}.pub")

    def test_dropbear(self):
        server = Dropbear(self.world)
        public = self.world.path("dropbear-host.pub")
        public.write_text(server.public_host_key + "\n", encoding="ascii")
        self.check_server("boxd", server, server.user, public)

    def test_another_host_key(self):
        server = Sshd(self.world, "other-sshd")
        other = self.world.key("not-the-host-key")
        agent, _ = self.start_agent("boxk", server, ME, f"{other}.pub")
        agent.process.wait_line(r"(?i)host key", 30)
        self.assertNotIn("Accepted publickey", server.process.text())

    def test_a_port_that_is_taken_there(self):
        """It is an error that heals: said in the log, the other tunnels work, and tried again."""
        server = Sshd(self.world, "busy-sshd")
        port = free_port()
        # sshd calls it a success when it gets one of the two.
        with socket.create_server(("127.0.0.1", port)), socket.create_server(("::1", port), family=socket.AF_INET6):
            agent, ports = self.start_agent("boxt", server, ME, f"{server.host_key}.pub")
            agent.process.wait_line("connected")
            agent.process.stop()
            text = agent.config.read_text(encoding="utf-8")
            agent.write_config(text.replace(f"remote_port = {ports[1]}", f"remote_port = {port}"))
            agent.start()
            agent.process.wait_line(rf"(?i)\b{port}\b", 30)
        self.check((ports[0], port), 90)


if __name__ == "__main__":
    unittest.main()
