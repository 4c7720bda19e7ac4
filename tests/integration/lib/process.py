"""Programs started by a test: their log, their memory, and their certain end."""
import os
import re
import signal
import subprocess
import time

# Sanitized programs are several times slower; every deadline is stretched, none of them is what a test measures.
SANITIZED = os.environ.get("SALLYPORT_SANITIZED", "0") == "1"
STRETCH = 3 if SANITIZED else 1
REPORTS = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:")


def wait_for(what, question, timeout=20.0, pause=0.05):
    """Asks until the answer is true, and returns it; an AssertionError that names `what` when time is over."""
    deadline = time.monotonic() + timeout * STRETCH
    while True:
        try:
            answer, error = question(), None
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as caught:
            answer, error = None, caught
        if answer:
            return answer
        if time.monotonic() > deadline:
            reason = f": {error}" if error else ""
            raise AssertionError(f"waited {timeout * STRETCH:.0f} s in vain for {what}{reason}")
        time.sleep(pause)


def run(argv, timeout=60.0, **how):
    """One command to its end: text in, text out, within the deadline."""
    how.setdefault("stdin", subprocess.DEVNULL)
    if "input" in how:
        how.pop("stdin")
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout * STRETCH, check=False, **how)


class Process:
    """A program in the background, its output in a file. stop() or kill() is always called in the end."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = log
        with open(log, "ab") as output:
            self.start_of_log = output.tell()
            # Should the test itself be killed (ctest does that at its time limit), the kernel ends the program.
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.argv], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True)
        self.pid = self.popen.pid
        self.expected = None  # exit status that was asked for by kill()

    def text(self):
        """What it wrote since this start."""
        with open(self.log, "rb") as log:
            log.seek(self.start_of_log)
            return log.read().decode("utf-8", "replace")

    def alive(self):
        return self.popen.poll() is None

    def wait_line(self, pattern, timeout=20.0):
        def found():
            match = re.search(pattern, self.text(), re.MULTILINE)
            if not match and not self.alive():
                raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.text()[-4000:]}")
            return match
        return wait_for(f"{self.name} to say {pattern!r}", found, timeout)

    def wait(self, timeout=30.0):
        return self.popen.wait(timeout * STRETCH)

    def status(self, field):
        """A field of /proc/PID/status; the memory ones are in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise KeyError(field)

    def memory(self):
        """Resident bytes."""
        return self.status("VmRSS") * 1024

    def reset_peak(self):
        """peak() counts from now on."""
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")

    def peak(self):
        """The most resident bytes that it had at one time."""
        return self.status("VmHWM") * 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """The end without a goodbye, as a power cut would do it."""
        if self.alive():
            self.expected = -signal.SIGKILL
            self.signal(signal.SIGKILL)
            self.popen.wait()

    def stop(self, timeout=20.0):
        """Asks it to end and returns its exit status; one that does not obey is killed, and that is an error."""
        if self.alive():
            self.resume()
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout * STRETCH)
            except subprocess.TimeoutExpired as late:
                self.kill()
                raise AssertionError(f"{self.name} did not end within {timeout * STRETCH:.0f} s of SIGTERM") from late
        return self.popen.returncode

    def check(self):
        """After the end: an AssertionError for a sanitizer's report."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            text = log.read()
        if REPORTS.search(text):
            raise AssertionError(f"{self.name}: a sanitizer reported:\n{text[-6000:]}")
