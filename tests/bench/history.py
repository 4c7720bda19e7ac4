"""The machines' history at the relay: how long a machine's page takes, and what 500 machines' statuses cost."""
import json
import os
import random
import sqlite3
import struct
import subprocess
import time

from cpu import exact_seconds
from lib import Person, Relay, end_popen, run, wait_for
from lib.web import Visitor
from table import MIB, median, mib, percent, tenths_ms

MANY_AGENTS = os.environ.get("SALLYPORT_MANY_AGENTS", "many_agents")
DAYS, GPUS, FILESYSTEMS = 14, 2, 4
FIRST_GPU, FIRST_FILESYSTEM = 1, 65  # the numbers of subjects, as in include/sallyport/domain/series.h
LEVELS = (60, 900, 21600)
ROUNDS = 30
MACHINES = 500


def packed(choose):
    """A row in which everything is known (src/domain/series_pack.c)."""
    row = bytes([1, 0]) + struct.pack("<7H", *(choose.randint(1, 65535) for _ in range(7)))
    for gpu in range(GPUS):
        row += bytes([FIRST_GPU + gpu]) + struct.pack("<4H", *(choose.randint(1, 65535) for _ in range(4)))
    for filesystem in range(FILESYSTEMS):
        row += bytes([FIRST_FILESYSTEM + filesystem]) + struct.pack("<H", choose.randint(1, 65535))
    return row


def write_history(file, machine_id, now):
    choose = random.Random(1)
    with sqlite3.connect(file) as database:
        subjects = [(machine_id, 0, "", "", -1, 1, now)]
        subjects += [(machine_id, FIRST_GPU + n, f"GPU-{n}", "NVIDIA GeForce RTX 4090", n, 1, now) for n in range(GPUS)]
        subjects += [(machine_id, FIRST_FILESYSTEM + n, f"/disk{n}", "", -1, 1, now) for n in range(FILESYSTEMS)]
        database.executemany("INSERT INTO subject VALUES (?, ?, ?, ?, ?, ?, ?)", subjects)
        for level, period in enumerate(LEVELS):
            last = now - now % period
            rows = [(machine_id, level, when, packed(choose)) for when in range(last - DAYS * 86400, last, period)]
            database.executemany("INSERT INTO value VALUES (?, ?, ?, ?)", rows)
    database.close()


def time_of(relay, token, path):
    """Seconds from the first byte of a request to the last one of its answer, over TLS, and the answer's size."""
    done = run(["curl", "-s", "-k", "-o", "/dev/null", "-H", f"Authorization: Bearer {token}", "-w",
                "%{http_code} %{time_pretransfer} %{time_total} %{size_download}\n",
                f"https://127.0.0.1:{relay.port}{path}"])
    code, before, total, size = done.stdout.split()
    if code != "200":
        raise RuntimeError(f"{path}: {code}")
    return float(total) - float(before), int(size)


def measure_page(table, world, say):
    say(f"A machine's page from {DAYS} days of history, {ROUNDS} times ...")
    relay = Relay(world, "history-relay")
    person = Person(world, "henry", relay, admin=True)
    relay.ctl("machine", "add", "box1", world.public(world.key("box1")))
    token = person.verb("key", "add", "--api", "bench").stdout.strip()
    relay.process.stop()
    now = int(time.time())
    write_history(relay.state / "history.sqlite", 1, now)
    relay.start()
    answer = Visitor(relay).ask(f"/api/v1/machines/box1/history?from={now - DAYS * 86400}&to={now}",
                                fields=[("Authorization", f"Bearer {token}")])
    seen = json.loads(answer.text)
    if len(seen["series"]) != 7 + 4 * GPUS + FILESYSTEMS or len(seen["times"]) < DAYS * 86400 / seen["step_s"] - 2:
        raise RuntimeError("the history is not as it was written")
    for what, query in ((f"{DAYS} days, as the page asks for them", ""), ("the same from minutes", "&step=600")):
        got = [time_of(relay, token, f"/api/v1/machines/box1/history?from={now - DAYS * 86400 + 60}&to={now}{query}")
               for _ in range(ROUNDS)]
        figure = f"history of a machine with {GPUS} GPUs, {what} ({got[0][1] / 1000:.0f} kB)"
        seconds = median([one for one, _ in got])
        if query:
            table.note(figure, tenths_ms(seconds))
        else:
            table.bound(figure, seconds, tenths_ms, 0.05)
    table.bound("the machine itself, as JSON",
                median([time_of(relay, token, "/api/v1/machines/box1")[0] for _ in range(ROUNDS)]), tenths_ms, 0.05)
    relay.process.stop()


def a_status():
    """What a workstation with two GPUs says."""
    gpu = {"name": "NVIDIA GeForce RTX 4090", "driver": "550.54.14", "state": "ok", "used_share": 0.97,
           "memory_total_bytes": 25757220864, "memory_used_bytes": 20000000000, "temperature_celsius": 71,
           "fan_share": 0.55, "power_watts": 402.5, "power_limit_watts": 450, "clock_hz": 2520000000,
           "clock_max_hz": 3105000000, "memory_clock_hz": 10501000000, "throttle": "power", "pcie_width": 16,
           "pcie_width_max": 16, "pcie_generation": 4, "pcie_generation_max": 4, "energy_joules": 123456789}
    process = {"pid": 4711, "user": "ann", "command": "python train.py --epochs 3", "memory_used_bytes": 8000000000,
               "gpu_memory_used_bytes": 19000000000, "cpu_used_share": 0.06, "started": "2026-11-20T09:00:00Z"}
    return {"kind": "status", "uptime_s": 86400, "load_1m": 0.5, "load_5m": 0.4, "load_15m": 0.3, "cpu_count": 16,
            "cpu_used_share": 0.31, "cpu_temperature_celsius": 61, "memory_total_bytes": 67108864000,
            "memory_used_bytes": 10000000000, "swap_total_bytes": 2000000000, "swap_used_bytes": 0,
            "received_bytes_per_second": 120.5, "sent_bytes_per_second": 99, "power_watts": 310, "power_state": "awake",
            "filesystems": [{"mount": f"/disk{n}", "type": "ext4", "total_bytes": 9 << 30, "used_bytes": 5 << 30,
                             "available_bytes": 4 << 30, "inodes_total": 900, "inodes_used": 20}
                            for n in range(FILESYSTEMS)],
            "gpus": [{**gpu, "id": f"GPU-{n}", "index": n} for n in range(GPUS)],
            "processes": [{**process, "pid": 100 + n, "gpus": [n % GPUS]} for n in range(4)]}


def share_of(process, seconds):
    began, used = time.monotonic(), exact_seconds(process.pid)
    time.sleep(seconds)
    return (exact_seconds(process.pid) - used) / (time.monotonic() - began)


def measure_crowd_states(table, world, how, say):
    """The whole relay: 500 tunnels, each with a status every 10 s, decrypted, read, noted and written."""
    say(f"{MACHINES} machines that say how they are ...")
    relay = Relay(world, "states-relay")
    keys, status = world.folder("states-keys"), world.path("status.json")
    status.write_text(json.dumps(a_status()) + "\n", encoding="utf-8")
    made = run([MANY_AGENTS, "keys", keys, str(MACHINES)])
    if made.returncode != 0:
        raise RuntimeError(made.stderr)
    for n in range(MACHINES):
        relay.ctl("machine", "add", f"load{n}", (keys / f"{n}.pub").read_text(encoding="ascii").strip())
    found = {}
    for what, more in (("silent", []), ("telling", [status])):
        with open(world.path("states.log"), "wb") as log:
            load = subprocess.Popen([MANY_AGENTS, "run", str(relay.port), keys, str(MACHINES), *more],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        world.at_end(lambda: end_popen(load))
        if load.stdout.readline() != b"ready\n":
            raise RuntimeError(world.path("states.log").read_text(encoding="utf-8", errors="replace"))
        wait_for("all machines online", lambda: sum(one["online"] for one in relay.machines().values()) == MACHINES, 60)
        time.sleep(15)
        found[what] = share_of(relay.process, 2 * max(how.idle, 60)), relay.process.memory()
        end_popen(load)
    share, memory = found["telling"]
    table.bound(f"relay, statuses of {MACHINES} machines every 10 s into SQLite: share of a core",
                share - found["silent"][0], percent, 0.03)
    table.note("... with all that these tunnels cost without it", percent(share))
    table.note(f"... memory of the relay (before: {found['silent'][1] / MIB:.0f} MiB)", mib(memory))
