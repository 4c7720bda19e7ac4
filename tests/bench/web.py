"""The web front's figures: beside nginx on the same upstreams, beside a Jupyter asked directly, and the live page."""
import itertools
import re

from tornado import ioloop

from fronts import LARGE, SMALL, WEBSOCKET, Stand, nginx, upstreams
from jupyter_cells import both_ways
from lib import free_port, run
from live_pages import watch
from table import KIB, cpu_s, kib, mb_s, median, per_s, percent, tenths_ms, us

GB = 1e9


def download(front):
    """The whole file, from connect to the last byte; processor time is the front's alone."""
    before = front.cpu()
    done = run(["curl", "-sk", "--http1.1", "--noproxy", "*", "-o", "/dev/null", "-H", f"Cookie: {front.app_cookie}",
                "-w", "%{http_code} %{size_download} %{time_total}", f"https://{front.app}/large"], timeout=120)
    used = front.cpu() - before
    status, size, seconds = done.stdout.split()
    if status != "200" or int(size) != LARGE:
        raise RuntimeError(f"{front.name}: status {status}, {size} bytes {done.stderr}")
    return {"mb_s": LARGE / float(seconds) / 1e6, "cpu_s_gb": used / (LARGE / GB)}


def requests(front, connections, seconds):
    """1 KB answers, one after another on each of these connections."""
    before = front.cpu()
    done = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Host: {front.app}",
                "-H", f"Cookie: {front.app_cookie}", f"https://127.0.0.1:{front.port}/small"], timeout=60)
    used = front.cpu() - before
    found = re.search(r"(\d+) requests in ([\d.]+)s, ([\d.]+)([KMG])B read", done.stdout)
    if not found or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"{front.name}: {done.stdout}{done.stderr}")
    count, read = int(found.group(1)), float(found.group(3)) * KIB ** ("KMG".index(found.group(4)) + 1)
    if read < count * SMALL:
        raise RuntimeError(f"{front.name}: {read} bytes for {count} answers of {SMALL}")
    return {"per_s": count / float(found.group(2)), "cpu_each": used / count}


def pings(front, count):
    """The median of so many round trips on one WebSocket."""
    before = front.cpu()
    done = run([WEBSOCKET, "ping", str(front.port), front.echo, "/echo", front.echo_cookie, str(count)])
    if done.returncode != 0:
        raise RuntimeError(f"{front.name}: {done.stderr}")
    return {"s": median([int(line) for line in done.stdout.split()]) / 1e9, "cpu_each": (front.cpu() - before) / count}


FORMS = {"mb_s": mb_s, "cpu_s_gb": cpu_s, "per_s": per_s, "cpu_each": us, "s": us}
# What is done, a figure of it, its name in the table, the goal for the ratio (None: no goal), and its direction.
ROWS = (
    ("download", "mb_s", "200 MB download: speed", 1.0, True),
    ("download", "cpu_s_gb", "200 MB download: processor time a GB", 1.15, False),
    ("busy", "per_s", "1 KB answers, 32 connections", 0.75, True),
    ("busy", "cpu_each", "1 KB answers, 32 connections: processor time each", None, False),
    ("single", "per_s", "1 KB answers, 1 connection", None, True),
    ("echo", "s", "WebSocket, 64 bytes and back", 1.1, False),
    ("echo", "cpu_each", "WebSocket, 64 bytes and back: processor time each", None, False),
)


def measure_fronts(table, world, how, say):
    """They take turns, each round begun by another one. nginx stands in the table with the better of its settings."""
    sockets = upstreams(world)
    stand = Stand(world, sockets)
    ours = stand.front()
    fronts = [ours, *nginx(world, sockets, *stand.certificate(), ours.cipher()[0])]
    ciphers = {front.name: front.cipher() for front in fronts}
    if len(set(ciphers.values())) != 1:
        raise RuntimeError(f"not the same cipher: {ciphers}")
    say(f"The web front beside nginx, {how.rounds} rounds, {ours.cipher()[0]} ...")
    # Which core each process runs on is decided anew every time, and matters: what is short is done more often.
    work = (("download", download, 2), ("busy", lambda front: requests(front, 32, 2), 2),
            ("single", lambda front: requests(front, 1, 2), 1), ("echo", lambda front: pings(front, 1000), 6))
    found = {what: {front.name: [] for front in fronts} for what, _, _ in work}
    for what, one, times in work:
        for number in range(-1, how.rounds * times):
            for front in fronts[number % 3:] + fronts[:number % 3]:
                figures = one(front)
                if number >= 0:  # one round before the first fills caches
                    found[what][front.name].append(figures)
                    say(f"  {what:8} {number + 1}/{how.rounds * times} {front.name:20} " +
                        ", ".join(FORMS[name](value) for name, value in figures.items()))
    for what, name, figure, goal, at_least in ROWS:
        ours, *others = ([one[name] for one in found[what][front.name]] for front in fronts)
        best = (max if at_least else min)(others, key=median)
        table.compare(figure, ours, best, FORMS[name], goal, at_least)


def measure_cells(table, world, how, say):
    """Cells in turn, on two kernels of the same server."""
    loop = ioloop.IOLoop()
    ways = both_ways(world, loop)
    took = {way.name: [] for way in ways}
    say(f"Cells in a Jupyter, {how.cells} each way ...")
    for number in range(-5, how.cells):
        for way in ways if number % 2 else ways[::-1]:
            seconds = way.run()
            if number >= 0:
                took[way.name].append(seconds)
    through, directly = (took[way.name] for way in ways)
    table.added("one cell in Jupyter, through relay and tunnel; beside it: asked directly", through, directly,
                tenths_ms, 0.003)


def measure_live(table, world, how, say):
    """A stand of its own, and started anew after the logins, so that nothing else has left memory behind."""
    sockets = world.folder("no-sockets")
    stand = Stand(world, sockets, free_port())
    visitors = [stand.visitor(f"admin{number}") for number in range(how.browsers)]
    stand.close()
    stand = Stand(world, sockets, stand.port)
    visitors[0].ask("/")
    say(f"{how.browsers} live pages, {how.idle} s ...")
    loads = itertools.count()
    share, each = watch(stand, visitors, how.idle, lambda: stand.order(f"load {next(loads) % 16}"))
    table.bound(f"{how.browsers} live pages, one change a second: share of a core", share, percent, 0.01)
    table.bound("each live page: memory", each, kib, 100 * KIB)
