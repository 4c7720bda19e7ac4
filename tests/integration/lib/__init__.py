"""What the integration tests stand on: programs started and ended, ports, keys, a person's ssh, a raw link."""
from .link import Link
from .ports import Server, deaf, digest_at_end, echo, free_port, greet_then_collect, pour
from .process import SANITIZED, STRETCH, Process, run, wait_for
from .world import AGENT, ME, RELAY, Agent, Case, Person, Relay, Sshd, World, end_popen, find_program, find_url

__all__ = [
    "AGENT", "ME", "RELAY", "SANITIZED", "STRETCH", "Agent", "Case", "Link", "Person", "Process", "Relay", "Server",
    "Sshd", "World", "deaf", "digest_at_end", "echo", "end_popen", "find_program", "find_url", "free_port",
    "greet_then_collect", "pour", "run", "wait_for",
]
