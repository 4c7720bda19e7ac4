"""The hostile messages of tests/hostile; the first lines there tell how they are written."""
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "hostile"
LETTERS = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


def _byte(match):
    written = match.group(1)
    return chr(int(written[1:], 16)) if written[0] == "x" and len(written) == 3 else LETTERS[written].decode()


def unescape(text):
    text = re.sub(r"\\\{(\d+):([^}]*)\}", lambda match: match.group(2) * int(match.group(1)), text)
    return re.sub(r"\\(x[0-9a-f]{2}|[rnt\\])", _byte, text).encode("latin-1")


def read_cases(file, words):
    """Its cases: the words at the beginning of the line (verdict, name, ...) and the bytes."""
    cases = []
    for line in (FOLDER / file).read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            *named, text = line.split(None, words)
            cases.append((*named, unescape(text)))
    return cases


def requests():
    """(verdict, name, bytes)"""
    return read_cases("requests.txt", 2)


def responses():
    """(verdict, what was asked: -, head or upgrade, name, bytes)"""
    return read_cases("responses.txt", 3)


def bodies():
    """(verdict, name, bytes), without the marks"""
    return [(verdict, name, data.replace(b"|", b"").replace(b">", b""))
            for verdict, name, data in read_cases("bodies.txt", 2)]
