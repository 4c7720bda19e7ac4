"""Processor time, exactly: of daemons with all their children, and of a command with everything that it leaves behind."""
import ctypes
import json
import os
import resource
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def _stat(pid):
    """(parent, seconds of the process and of its waited-for children), or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / TICK


def tree(roots):
    """Every living process that descends from these, themselves included: {pid: seconds}."""
    stats = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    found, fresh = {}, set(roots)
    while fresh:
        found.update({pid: stats[pid][1] for pid in fresh if stats.get(pid)})
        fresh = {pid for pid, stat in stats.items() if stat and stat[0] in fresh and pid not in found}
    return found


def exact_seconds(pid):
    """Of a process without children, to the nanosecond where the kernel counts so."""
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except FileNotFoundError:
        return _stat(pid)[1]
    return total / 1e9


class Daemons:
    """What these processes and all their children use up between begin() and end()."""

    def __init__(self, *processes):
        self.pids = [process.pid for process in processes]
        self.before = {}

    def begin(self):
        self.before = tree(self.pids)

    def end(self):
        """Waits for the children of the last connection: their time counts once they are waited for."""
        deadline = time.monotonic() + 5
        after = tree(self.pids)
        while set(after) - set(self.before) and time.monotonic() < deadline:
            time.sleep(0.02)
            after = tree(self.pids)
        return sum(after.values()) - sum(self.before.values())


def run_counted(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    """One command to its end, and to that of all that it started: ssh leaves its -J helper to init, so a process in
    between takes the orphans in. Returns {"status", "cpu_s", "ended_ns"}."""
    reader, writer = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        answer = {"status": -1, "cpu_s": 0.0, "ended_ns": 0}
        try:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            command = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr)
            answer["status"] = command.wait(600)
            answer["ended_ns"] = time.time_ns()
            try:
                while True:
                    os.wait()
            except ChildProcessError:
                pass
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            answer["cpu_s"] = used.ru_utime + used.ru_stime
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(keeper, 0)
    return answer
