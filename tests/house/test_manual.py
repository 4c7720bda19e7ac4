#!/usr/bin/env python3
"""Checks the pages of the manual: that they are sound, and have all commands, verbs, options and keys of the sources.

usage: test_manual.py ROOT FOLDER PROGRAM...     (FOLDER has the pages; those of other programs are not looked for)
"""
import functools
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PAGES = {
    "sallyport": ["sallyport.1"],
    "sallyport-relay": ["sallyport-relay.8", "sallyport-relay.ini.5"],
    "sallyport-agent": ["sallyport-agent.8", "sallyport-agent.ini.5"],
}
STRING = r'"(?:[^"\\]|\\.)*"'
STRINGS = rf"{STRING}(?:\s+{STRING})*"


def text_of(strings):
    """What C makes of string literals that stand side by side."""
    return "".join(re.sub(r"\\(.)", r"\1", part[1:-1]) for part in re.findall(STRING, strings))


def table(path, begin):
    """The text of an array, from the line that declares it to its end."""
    text = path.read_text(encoding="utf-8")
    return text[text.index(begin) : text.index("\n};", text.index(begin))]


def fields(row):
    return {name: text_of(strings) for name, strings in re.findall(rf"\.(\w+) = ({STRINGS})", row)}


def options(path, begin):
    for row in re.findall(r"\{(\.name = \".*?)\}", table(path, begin), re.DOTALL):
        yield {**fields(row), "cli": ".cli = true" in row}


def rows(path, begin, columns):
    """Rows of plain strings: {"join", "URL", "help", ...}; NULL counts as none."""
    one = rf"({STRINGS}|NULL),\s+"
    for row in re.findall(r"\{\s*" + one * columns, table(path, begin)):
        yield [None if cell == "NULL" else text_of(cell) for cell in row]


class Check:
    def __init__(self, root, folder, programs):
        self.root = root
        self.folder = folder
        self.programs = {pathlib.Path(path).name: path for path in programs}
        self.problems = []
        self.checked = 0

    def expect(self, condition, problem):
        self.checked += 1
        if not condition:
            self.problems.append(problem)

    @functools.lru_cache
    def rendered(self, page, width=400):
        done = subprocess.run(["mandoc", "-T", "ascii", "-O", f"width={width}", self.folder / page], check=True,
                              capture_output=True, text=True, timeout=60)
        return re.sub(".\b", "", done.stdout)

    def check_form(self, page):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", self.folder / page], capture_output=True,
                              text=True, timeout=60, check=False)
        self.expect(done.returncode == 0 and not done.stdout, f"{page}: {done.stdout}{done.stderr}")
        source = (self.folder / page).read_text(encoding="utf-8")
        self.expect('.\\" table:' not in source and "@" not in source.splitlines()[0], f"{page}: is not filled in")
        for line in self.rendered(page, 80).splitlines():
            self.expect(len(line) <= 80, f"{page}: too long a line: {line}")
        known = [known for pages in PAGES.values() for known in pages]
        for name, section in re.findall(r"(sallyport[\w.-]*)\((\d)\)", self.rendered(page)):
            self.expect(f"{name}.{section}" in known, f"{page}: there is no {name}({section})")

    def expect_item(self, page, usage, text):
        """An item is a line that fits `usage`, and below it, or behind it when that is short, the text."""
        text = re.escape(re.sub("`([^`]*)`", r"\1", text))
        self.expect(re.search(rf"^ +{usage}(\n +| +){text}", self.rendered(page), re.MULTILINE),
                    f"{page}: there is no item '{usage}' with '{text}'")

    def check_commands(self, program, page):
        source = self.root / "src/main" / f"{program.removeprefix('sallyport-')}.c"
        for name, arguments, text in rows(source, "struct program_command commands[]", 3):
            self.expect_item(page, re.escape(f"{name} {arguments}".strip()), text)

    def check_options(self, program, page, keys):
        source = self.root / "src" / program.removeprefix("sallyport-") / "options.c"
        for option in options(source, "struct option options[]"):
            self.expect_item(keys, rf"{option['name']} = \S+", option["help"])
            if option["cli"]:
                self.expect_item(page, rf"--{option['name'].replace('_', '-')} \S+", option["help"])
        for option in ("--config FILE", "--help", "--version"):
            self.expect_item(page, option, "")

    def check_verbs(self, page):
        for name, sub, arguments, text in rows(self.root / "src/relay/verbs_table.c", "struct verb verb_table[]", 4):
            usage = " ".join(word for word in (name, sub, arguments) if word)
            self.expect_item(page, re.escape(usage), text)

    def check_services(self, keys):
        for option in options(self.root / "src/agent/services_config.c", "struct option entry_options[]"):
            self.expect_item(keys, rf"{option['name']} = \S+", option["help"])

    def check_client(self, page):
        for row in re.findall(r"\{(\.name = \".*?)\}", table(self.root / "src/cli/cli_table.c", "cli_commands[]"),
                              re.DOTALL):
            verb = fields(row)
            usage = f"{verb['name']} {verb['arguments']}".strip()
            if ".hidden = true" in row:
                self.expect(usage not in self.rendered(page), f"{page}: {usage} is not for people")
            else:
                self.expect_item(page, re.escape(usage), verb["help"])
        for option in ("--state DIR", "--json", "-v", "--help", "--version"):
            self.expect_item(page, option, "")

    def check_unknown_table(self, program):
        with tempfile.NamedTemporaryFile("w", prefix="sallyport-manual-") as template:
            template.write('.TH X 1\n.\\" table: nonsense\n')
            template.flush()
            done = subprocess.run([self.programs[program], "--manual", template.name], capture_output=True, text=True,
                                  timeout=60, check=False)
        self.expect(done.returncode == 1 and "'nonsense'" in done.stderr, f"{program} fills in what it does not have")

    def run(self):
        for program in self.programs:
            pages = PAGES[program]
            for page in pages:
                self.check_form(page)
            if program == "sallyport":
                self.check_client(*pages)
            else:
                self.check_commands(program, pages[0])
                self.check_options(program, *pages)
            self.check_unknown_table(program)
        if "sallyport-relay" in self.programs:
            self.check_verbs("sallyport-relay.8")
        if "sallyport-agent" in self.programs:
            self.check_services("sallyport-agent.ini.5")


def main(arguments):
    if len(arguments) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    if not shutil.which("mandoc"):
        print("error: there is no mandoc here: scripts/deps test")
        return 1
    check = Check(pathlib.Path(arguments[0]), pathlib.Path(arguments[1]), arguments[2:])
    check.run()
    for problem in check.problems:
        print(f"error: {problem}")
    print(f"{check.checked} checks, {len(check.problems)} errors")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
