#!/usr/bin/env python3
"""Checks the tree against the table of rooms in docs/ARCHITECTURE.md, and the habits that a regular expression can see.

usage: test_rooms.py ROOT | --self-test
"""
import pathlib
import re
import sys
import tempfile

LINES_ASK, LINES_FAIL = 500, 600

# Which foreign library a header belongs to. What is neither here nor in LIBC is an error, so that nothing slips in.
LIBRARIES = [
    (r"libssh/", "libssh"),
    (r"openssl/", "OpenSSL"),
    (r"microhttpd\.h$", "libmicrohttpd"),
    (r"jansson\.h$", "jansson"),
    (r"ini\.h$", "inih"),
    (r"sqlite3\.h$", "SQLite"),
    (r"miniupnpc/", "libminiupnpc"),
    (r"natpmp\.h$", "libnatpmp"),
    (r"curl/", "libcurl"),
    (r"systemd/", "libsystemd"),
]
LIBC = re.compile(
    r"^(sys|netinet|netpacket|arpa|net|linux|asm)/[a-z0-9_-]+\.h$|"
    r"^(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|ftw|getopt|glob|grp|ifaddrs|inttypes|limits|locale|math|"
    r"netdb|poll|pthread|pwd|resolv|sched|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|"
    r"stdnoreturn|string|strings|syslog|termios|time|unistd|wchar|wctype)\.h$"
)
GENERATED = {"sallyport_version.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
# Any sign between blanks or word ends: mkstemp's XXXXXX is not meant.
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b")


class Room:
    """A row of the table: | room | rooms it may include | libraries beside libc |."""

    def __init__(self, name, rooms, libraries):
        self.name = name
        self.own_daemon = "its own daemon" in rooms
        self.rooms = {word for word in split(rooms) if word not in ("libc", "its own daemon", "-", "")}
        self.one_library_a_file = libraries.startswith("one a file:")
        self.libraries = {}  # name -> the only file that may use it, or None
        for word in split(libraries.removeprefix("one a file:")):
            match = re.fullmatch(r"(\w+)(?: \((\S+)\))?", word)
            if match:
                self.libraries[match.group(1)] = match.group(2)


def split(text):
    return [word.strip(" `") for word in text.split(",")]


def read_table(root):
    rooms = {}
    inside = False
    for line in (root / "docs/ARCHITECTURE.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[:2] == ["room", "may include"]:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not set(cells[0]) <= set("-: "):
            name = cells[0].strip("`")
            rooms[name] = Room(name, cells[1], cells[2] if len(cells) > 2 else "")
    return rooms


def library_of(header):
    for pattern, library in LIBRARIES:
        if re.match(pattern, header):
            return library
    return None


class Check:
    def __init__(self, root):
        self.root = root
        self.rooms = read_table(root)
        self.problems = []
        self.questions = []

    def problem(self, path, text):
        self.problems.append(f"{path.relative_to(self.root)}: {text}")

    def run(self):
        if not self.rooms:
            self.problems.append("docs/ARCHITECTURE.md: there is no table '| room | may include |'")
            return
        for place in ("src", "include/sallyport"):
            base = self.root / place
            for folder in sorted(path for path in base.iterdir() if path.is_dir()) if base.is_dir() else []:
                files = sorted(path for path in folder.rglob("*.[ch]"))
                if files and folder.name not in self.rooms:
                    self.problem(folder, "this room is not in the table of docs/ARCHITECTURE.md")
                    continue
                for path in files:
                    self.check_includes(path, self.rooms[folder.name], public=place != "src")
                if (folder / "CMakeLists.txt").exists():
                    self.check_uses(folder / "CMakeLists.txt", self.rooms[folder.name])
        for place in ("src", "include", "tests"):
            for path in sorted((self.root / place).rglob("*.[ch]")):
                self.check_habits(path)

    def allowed_rooms(self, path, room):
        allowed = room.rooms | {room.name}
        if room.own_daemon:
            # relay.c and relay_*.c belong to the relay.
            allowed |= {name for name in self.rooms if re.match(rf"{name}(_|\.|$)", path.name)}
        return allowed

    def check_includes(self, path, room, public):
        used = set()
        for bracket, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if header in GENERATED:
                continue
            if header.startswith("sallyport/"):
                other = header.split("/")[1]
                if other not in self.allowed_rooms(path, room):
                    self.problem(path, f"room {room.name} may not include {header}")
                if not (self.root / "include" / header).exists():
                    self.problem(path, f"there is no {header}")
                if bracket == "<":
                    self.problem(path, f'write #include "{header}"')
            elif bracket == '"':
                if public or "/" in header or not (path.parent / header).exists():
                    self.problem(path, f"{header} is not a header of this room")
            elif library_of(header):
                used.add(library_of(header))
                self.check_library(path, room, header, public)
            elif not LIBC.match(header):
                self.problem(path, f"<{header}> belongs to no library that this test knows")
        if room.one_library_a_file and len(used) > 1:
            self.problem(path, f"one foreign library a file, but here are {', '.join(sorted(used))}")

    def check_library(self, path, room, header, public):
        library = library_of(header)
        if library not in room.libraries:
            self.problem(path, f"room {room.name} may not include <{header}> of {library}")
        elif public:
            self.problem(path, f"<{header}>: a public header shows no foreign library")
        elif room.libraries[library] not in (None, path.name):
            self.problem(path, f"<{header}>: only {room.libraries[library]} may include it")

    def check_uses(self, path, room):
        match = re.search(r"\bUSES\s+([^)]*?)(?:\bLIBS\b|\bSOURCES\b|\))", path.read_text(encoding="utf-8") + ")")
        for other in match.group(1).split() if match else []:
            if other not in room.rooms:
                self.problem(path, f"room {room.name} may not use {other}")

    def check_habits(self, path):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > LINES_FAIL:
            self.problem(path, f"{lines} lines: more than {LINES_FAIL}, split it")
        elif lines > LINES_ASK:
            self.questions.append(f"{path.relative_to(self.root)}: {lines} lines: is it still one thing?")
        for number, line in enumerate(text.splitlines(), 1):
            if TYPEDEF.search(line):
                self.problem(path, f"line {number}: struct x, no typedef")
            if UNFINISHED.search(line):
                self.problem(path, f"line {number}: finish it, or write an issue")
        if path.suffix == ".h" and not text.startswith("/* "):
            self.problem(path, "a header begins with one sentence of purpose")


# A small house in which all is well, and what happens to it when one file is written differently.
HOUSE = {
    "docs/ARCHITECTURE.md": "# x\n\n| room | may include | libraries beside libc |\n|---|---|---|\n"
    "| base | libc | inih (options.c) |\n| wire | base | one a file: libssh, OpenSSL |\n"
    "| relay | base, wire | jansson |\n| main | base, its own daemon | - |\n\n| other | table |\n",
    "include/sallyport/base/buf.h": "/* A buffer. */\n#include <stddef.h>\n",
    "include/sallyport/wire/ssh.h": '/* SSH. */\n#include "sallyport/base/buf.h"\n',
    "include/sallyport/relay/relay.h": '/* The relay. */\n#include "sallyport/wire/ssh.h"\n',
    "src/base/options.c": '#include <ini.h>\n#include "sallyport/base/buf.h"\n',
    "src/base/buf.c": '#include <sys/epoll.h>\n#include "sallyport/base/buf.h"\n',
    "src/wire/ssh.c": '#include <libssh/server.h>\n#include "ssh_local.h"\n',
    "src/wire/ssh_local.h": "/* Shared. */\nstruct x;\n",
    "src/wire/tls.c": "#include <openssl/ssl.h>\n",
    "src/wire/CMakeLists.txt": "sallyport_room(wire\n SOURCES ssh.c tls.c\n USES base\n LIBS x)\n",
    "src/main/relay.c": '#include "sallyport/relay/relay.h"\n#include "sallyport_version.h"\n',
}
VIOLATIONS = [
    ("src/base/buf.c", '#include "sallyport/wire/ssh.h"\n', "room base may not include sallyport/wire/ssh.h"),
    ("include/sallyport/wire/ssh.h", '/* x. */\n#include "sallyport/relay/relay.h"\n', "room wire may not include"),
    ("src/base/buf.c", '#  include "sallyport/base/gone.h"\n', "there is no sallyport/base/gone.h"),
    ("src/base/buf.c", "#include <sallyport/base/buf.h>\n", "write #include"),
    ("src/base/buf.c", "#include <ini.h>\n", "only options.c may include it"),
    ("src/base/buf.c", "#include <openssl/sha.h>\n", "room base may not include <openssl/sha.h> of OpenSSL"),
    ("src/base/buf.c", "#include <zlib.h>\n", "belongs to no library"),
    ("src/base/buf.c", '#include "ssh_local.h"\n', "is not a header of this room"),
    ("src/base/buf.c", '#include "../wire/ssh_local.h"\n', "is not a header of this room"),
    ("src/wire/tls.c", "#include <openssl/ssl.h>\n#include <libssh/libssh.h>\n", "one foreign library a file"),
    ("include/sallyport/wire/ssh.h", "/* x. */\n#include <libssh/libssh.h>\n", "shows no foreign library"),
    ("src/main/relay.c", '#include "sallyport/wire/ssh.h"\n', "room main may not include sallyport/wire/ssh.h"),
    ("src/main/agent.c", '#include "sallyport/relay/relay.h"\n', "room main may not include"),
    ("src/wire/CMakeLists.txt", "sallyport_room(wire SOURCES ssh.c USES base relay)\n", "may not use relay"),
    ("src/cellar/x.c", "int x;\n", "this room is not in the table"),
    ("src/base/buf.c", "int x;\n" * 601, "601 lines"),
    ("src/base/buf.c", "typedef struct x x;\n", "no typedef"),
    ("src/base/buf.c", "/* TODO: more */\n", "finish it"),
    ("src/wire/ssh_local.h", "#ifndef X\n", "one sentence of purpose"),
    ("docs/ARCHITECTURE.md", "# x\n", "there is no table"),
]


def check_house(changes):
    with tempfile.TemporaryDirectory(prefix="sallyport-house-") as folder:
        root = pathlib.Path(folder)
        for name, text in {**HOUSE, **changes}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        check = Check(root)
        check.run()
        return check


def self_test():
    failed = [f"a good house: {problem}" for problem in check_house({}).problems]
    if check_house({"src/base/buf.c": 'char *t = "XXXXXX";\n' + "int x;\n" * 520}).problems:
        failed.append("501 to 600 lines, or a template for mkstemp, should be no error")
    for name, text, expected in VIOLATIONS:
        problems = check_house({name: text}).problems
        if not any(expected in problem for problem in problems):
            failed.append(f"{name} with {text[:60]!r} should give '{expected}', but gives {problems}")
    print("\n".join(failed) or f"self-test: {len(VIOLATIONS)} violations noticed")
    return 1 if failed else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    check = Check(pathlib.Path(arguments[0]).resolve())
    check.run()
    for question in check.questions:
        print(f"warning: {question}")
    for problem in check.problems:
        print(f"error: {problem}")
    print(f"{len(check.rooms)} rooms, {len(check.problems)} errors, {len(check.questions)} warnings")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
