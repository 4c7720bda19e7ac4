"""Options and configuration files: every error names the file, the line, the key and the remedy."""
import os
import socket
import sqlite3
import unittest

from lib import AGENT, RELAY, Case, Relay, free_port, run, wait_for


class Config(Case):
    def relay_file(self, text):
        path = self.world.path("relay.ini")
        path.write_text(text, encoding="utf-8")
        return path

    def check(self, program, text):
        """check-config on that text, and its words."""
        path = self.world.path("checked.ini")
        path.write_text(text, encoding="utf-8")
        return run([program, "check-config", "--config", path])

    def run_relay(self, *words):
        """`run` that is expected to give up by itself."""
        return run([RELAY, "run", *words], timeout=20)

    def state(self, name):
        return self.world.folder(name)

    def test_help_and_version(self):
        for program in (RELAY, AGENT):
            done = run([program, "--version"])
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"\b0\.\d+\.\d+\b")
            done = run([program, "--help"])
            self.assertEqual(done.returncode, 0)
            for word in ("run", "check-config", "--config", "--state"):
                self.assertIn(word, done.stdout)
            for words in ([], ["frobnicate"], ["run", "--no-such-option"], ["run", "--state"]):
                done = run([program, *words], timeout=20)
                self.assertEqual(done.returncode, 2, words)
                self.assertTrue((done.stdout + done.stderr).strip(), words)

    def test_good_files(self):
        for program, text in ((RELAY, ""), (AGENT, "[service tensorboard]\nport = 6006\nkind = http\n"),
                              (RELAY, "# nothing but a remark\n\n")):
            done = self.check(program, text)
            self.assertEqual(done.returncode, 0, done.stderr)

    def refuse(self, program, text, line, *words):
        done = self.check(program, text)
        self.assertEqual(done.returncode, 1, text)
        self.assertIn(f"checked.ini:{line}", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_unknown_keys_name_the_closest(self):
        self.refuse(RELAY, "# one\n\nlisten_ = 1\n", 3, "listen_", "'listen'")
        self.refuse(AGENT, "[service tensorboard]\nprot = 6006\n", 2, "prot", "port")

    def test_unknown_sections(self):
        self.refuse(AGENT, "\n[sevice ssh]\nport = 22\n", 3, "sevice")

    def test_wrong_types(self):
        for value in ("x", "0", "65536", "-1", "22 23", "0x16", "1e3", "9" * 40):
            self.refuse(AGENT, f"[service tensorboard]\nport = {value}\n", 2, "port", value)
        self.refuse(AGENT, "[service tensorboard]\nport = 6006\nkind = gopher\n", 3, "kind", "gopher", "http")

    def test_lines_that_are_none(self):
        self.refuse(RELAY, "listen 22\n", 1)
        self.refuse(RELAY, "[main\nlisten = 127.0.0.1:1\n", 1)

    def test_bytes_that_are_no_text(self):
        path = self.world.path("checked.ini")
        path.write_bytes(os.urandom(5000))
        done = run([RELAY, "check-config", "--config", path])
        self.assertEqual(done.returncode, 1)
        self.assertIn("checked.ini", done.stderr)

    def test_a_missing_file(self):
        missing = self.world.path("missing.ini")
        for program in (RELAY, AGENT):
            for verb in ("check-config", "run"):
                done = run([program, verb, "--config", missing, "--state", self.state("some")], timeout=20)
                self.assertEqual(done.returncode, 1)
                self.assertIn("missing.ini", done.stderr)

    def test_a_file_given_is_obeyed(self):
        port = free_port()
        path = self.relay_file(f"listen = 127.0.0.1:{port}\nname = localhost\n")
        process = self.world.start("from-file", [RELAY, "run", "--config", path, "--state", self.state("from-file-s")])
        process.wait_line(rf"listening on 127\.0\.0\.1:{port}")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"SSH-2.0-test\r\n")
            self.assertTrue(connection.recv(64).startswith(b"SSH-2.0-"))
        self.assertEqual(process.stop(), 0)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = self.run_relay("--state", self.state("s1"), "--listen", address, "--name", "localhost")
        self.assertEqual(done.returncode, 1)
        self.assertIn(address, done.stderr)
        self.assertRegex(done.stderr, r"(?i)in use")

    def test_addresses_that_are_none(self):
        for address in ("127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "nowhere.invalid:22", "[::1:22", ":"):
            done = self.run_relay("--state", self.state("s2"), "--listen", address, "--name", "localhost")
            self.assertIn(done.returncode, (1, 2), address)
            self.assertIn(address, done.stderr)

    def refuse_state(self, path, *words):
        for argv in ([RELAY, "run", "--listen", f"127.0.0.1:{free_port()}", "--name", "localhost", "--state", path],
                     [AGENT, "join", "--state", path,
                      "sallyport://127.0.0.1:1/" + "A" * 43 + "#SHA256:" + "A" * 43]):
            done = run(argv, timeout=20)
            self.assertEqual(done.returncode, 1, argv)
            self.assertIn(str(path), done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)

    def test_a_state_folder_open_to_others(self):
        for mode in (0o770, 0o755, 0o777):
            folder = self.state(f"open-{mode:o}")
            folder.chmod(mode)
            self.refuse_state(folder, "chmod")

    def test_a_state_folder_that_is_a_file(self):
        file = self.world.path("a-file")
        file.touch()
        self.refuse_state(file)
        self.refuse_state(file / "below")

    def test_a_state_folder_of_somebody_else(self):
        if os.getuid() == 0:
            folder = self.state("not-ours")
            os.chown(folder, 65534, 65534)
        else:
            folder = "/root" if os.path.isdir("/root") else "/"
        self.refuse_state(folder)

    def test_a_state_folder_that_cannot_be_written(self):
        # Root writes everywhere but into /proc.
        folder = "/proc/sallyport-state"
        if os.getuid() != 0:
            parent = self.state("read-only")
            parent.chmod(0o500)
            folder = parent / "state"
        self.refuse_state(folder)

    def test_a_newer_database(self):
        relay = Relay(self.world, name="newer")
        relay.process.stop()
        [database] = [file for file in relay.state.iterdir() if is_database(file) and file.name != "history.sqlite"]
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 9999")
        connection.close()
        done = self.run_relay("--state", relay.state, "--listen", relay.listen[0], "--name", "localhost")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"(?i)newer")
        self.assertIn(database.name, done.stderr)

    def test_a_broken_database(self):
        relay = Relay(self.world, name="broken")
        relay.process.stop()
        [database] = [file for file in relay.state.iterdir() if is_database(file) and file.name != "history.sqlite"]
        database.write_bytes(b"this is no database" * 1000)
        done = self.run_relay("--state", relay.state, "--listen", relay.listen[0], "--name", "localhost")
        self.assertEqual(done.returncode, 1)
        self.assertIn(database.name, done.stderr)

    def test_what_is_secret_is_readable_by_us_alone(self):
        relay = Relay(self.world, name="modes")
        for file in relay.state.iterdir():
            # A certificate and a public key are for everybody.
            if file.suffix not in (".pub", ".crt", ".pem") or "key" in file.name and file.suffix != ".pub":
                self.assertEqual(file.stat().st_mode & 0o077, 0, file.name)

    def test_ctl_without_a_relay(self):
        done = run([RELAY, "ctl", "--state", self.state("nobody"), "list"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody", done.stderr)

    def test_a_socket_left_behind_does_not_hinder_the_next_start(self):
        relay = Relay(self.world, name="left-behind")
        relay.process.kill()
        self.assertTrue((relay.state / "ctl.sock").exists())
        self.assertNotEqual(relay.try_ctl("list").returncode, 0)
        relay.start()
        wait_for("the control socket", lambda: relay.try_ctl("list").returncode == 0)


def is_database(file):
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return stream.read(15) == b"SQLite format 3"


if __name__ == "__main__":
    unittest.main()
