"""scripts/try as somebody new would use it: what it prints works as printed, and Ctrl-C leaves nothing behind."""
import os
import pathlib
import re
import shlex
import signal
import subprocess
import unittest
import urllib.request

from lib import RELAY, STRETCH, Case, run, wait_for

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "try"
MARK = "SALLYPORT_TEST_MARK"


class Try(Case):
    @classmethod
    def begin(cls):
        cls.mark = str(cls.world.root)
        cls.env = {**os.environ, "XDG_STATE_HOME": str(cls.world.folder("state")), MARK: cls.mark,
                   "SALLYPORT_BIN": str(pathlib.Path(RELAY).parent)}
        cls.world.at_end(cls.end_strays)

    @classmethod
    def strays(cls):
        """What the script started, by a variable that all of it inherits."""
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            try:
                if f"{MARK}={cls.mark}".encode() in (process / "environ").read_bytes():
                    found.append((int(process.name), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
            except OSError:
                continue
        return found

    @classmethod
    def end_strays(cls):
        for pid, _ in cls.strays():
            os.kill(pid, signal.SIGKILL)

    def start(self):
        with open(self.world.path("try.log"), "wb") as log:
            script = subprocess.Popen([SCRIPT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                      env=self.env, start_new_session=True)
        self.addCleanup(script.stdout.close)
        lines = []
        while line := script.stdout.readline():
            lines.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                return script, lines
        script.wait()
        self.fail(f"it ended with {script.returncode}:\n" + self.world.path("try.log").read_text(encoding="utf-8"))
        return None

    def end(self, script, number):
        os.killpg(script.pid, number)
        script.wait(30 * STRETCH)
        wait_for("everything to end", lambda: not self.strays(), 10)

    def paste(self, line, *more):
        return run(["bash", "-c", f"{line} {' '.join(more)}"], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})

    def check_lines(self, lines):
        self.assertLessEqual(len(lines), 10)
        text = "\n".join(lines)
        shell = re.search(r"ssh -F \S+ -J \S+ \S+", text).group(0)
        done = self.paste(shell, "echo", "in")
        self.assertEqual((done.returncode, done.stdout), (0, "in\n"), done.stderr)

        page = re.search(r"http://localhost:\d+/login/\S+", text).group(0)
        jar = str(self.world.path("cookies"))
        done = run(["curl", "-sSkL", "--noproxy", "*", "-c", jar, "-o", "/dev/null",
                    "-w", "%{http_code} %{url_effective}", page])
        self.assertRegex(done.stdout, r"^200 http://localhost:\d+/$")

        tunnel = re.search(r"ssh -F \S+ -N -L \S+ \S+", text).group(0)
        url = re.search(r"http://localhost:\d+/\?token=\S+", text).group(0)
        forward = subprocess.Popen(shlex.split(tunnel), stdin=subprocess.DEVNULL)
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
            answer = wait_for("Jupyter through the tunnel", lambda: opener.open(url, timeout=10))
            self.assertIn(b"Jupyter", answer.read())
        finally:
            forward.kill()
            forward.wait()

    def test_twice(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            script, lines = self.start()
            try:
                self.check_lines(lines)
            finally:
                self.end(script, number)

    def test_a_second_one_is_refused(self):
        script, _ = self.start()
        try:
            second = run([SCRIPT], env=self.env)
            self.assertEqual(second.returncode, 1)
            self.assertIn("running already", second.stderr)
        finally:
            self.end(script, signal.SIGINT)

    def test_killed_without_a_chance_to_tidy_up(self):
        script, _ = self.start()
        self.end(script, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
