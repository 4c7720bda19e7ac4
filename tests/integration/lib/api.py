"""Asking /api/v1, and judging each answer by what web/openapi.json says of it."""
import json
import re

from .schema import faults, resolve
from .web import Visitor
from .world import Case, Person

CSRF = "X-Sallyport-Token"
STATE = re.compile(r"/api/v1/(alerts|machines/{name}/)")


class ApiCase(Case):
    """A relay with a machine `box1`; alice is an admin, bob may use ssh there."""

    @classmethod
    def begin(cls):
        cls.relay, cls.sshd, cls.agent = cls.world.relay_with_agent()
        cls.alice = Person(cls.world, "alice", cls.relay, cls.sshd, admin=True)
        cls.bob = Person(cls.world, "bob", cls.relay)
        cls.relay.ctl("grant", "bob", "box1/ssh")
        cls.document = json.loads(Visitor(cls.relay).ask("/api/v1/openapi.json").text)
        cls.known = []
        cls.answered = set()

    def log_in(self, person, **how):
        visitor = Visitor(self.relay, **how).log_in(person)
        visitor.csrf = json.loads(visitor.ask("/api/v1/me").text)["csrf_token"]
        return visitor

    def token(self, person, label="test"):
        """A new API token, and its fingerprint."""
        done = person.verb("key", "add", "--api", label)
        self.assertRegex(done.stdout, r"\Asallyport_[A-Za-z0-9_-]{43}\n\Z", done.stderr)
        return done.stdout.strip(), re.search(r"API:[0-9a-f]{16}", done.stderr).group(0)

    def operation(self, method, path):
        """How the description calls what this request asks for: its path there, and the operation."""
        path = path.partition("?")[0]
        for pattern in sorted(self.document["paths"], key=lambda one: one.count("{")):
            operations = self.document["paths"][pattern]
            if method.lower() in operations and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]*", re.escape(pattern)), path):
                return pattern, operations[method.lower()]
        return None, None

    def judge(self, method, path, answer):
        """The answer must be one that is described, in every member."""
        pattern, operation = self.operation(method, path)
        self.assertTrue(operation, f"{method} {path} is not described")
        described = resolve(self.document, operation["responses"].get(str(answer.status), {}))
        self.assertTrue(described, f"{method} {path}: {answer.status} is not described: {answer.text}")
        self.answered.add((method, pattern, answer.status))
        if "content" not in described:
            self.assertEqual(answer.body, b"")
            return None
        kind = answer.get("Content-Type").split(";")[0]
        self.assertIn(kind, described["content"])
        content = described["content"][kind]
        self.assertEqual(answer.get("Cache-Control"), "no-store")
        if kind != "application/json":
            return answer.text
        value = json.loads(answer.text)
        self.assertEqual(list(faults(self.document, content["schema"], value)), [], f"{method} {path}: {value}")
        return value

    def call(self, who, method, path, body=None, wanted=None, fields=None, **how):
        """Asks as a visitor or with a token, judges the answer, returns what it says."""
        if isinstance(who, str):
            visitor, more = Visitor(self.relay), [("Authorization", f"Bearer {who}")]
            how.setdefault("origin", None)
        else:
            visitor, more = who or Visitor(self.relay), [(CSRF, who.csrf)] if who and method != "GET" else []
        sent = json.dumps(body).encode() if body is not None else b""
        answer = visitor.ask(path, method=method, fields=more if fields is None else fields, body=sent, **how)
        value = self.judge(method, path, answer)
        if wanted is not None:
            self.assertEqual(answer.status, wanted, answer.text)
        return value

    def never_answered(self, is_state):
        """What is described, but was never asked with success: of the machine's own state, or all else."""
        return [(method.upper(), path) for path, operations in self.document["paths"].items() for method in operations
                if bool(STATE.match(path)) == is_state and path != "/api/v1/openapi.json"
                and not any((method.upper(), path) == (m, p) and s < 400 for m, p, s in self.answered)]
