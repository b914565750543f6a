"""Who changes something, from where and why: for the audit trail of the archive."""

import getpass
import socket
from dataclasses import dataclass, field

LONGEST_WHO, LONGEST_ORIGIN, LONGEST_REASON = 100, 200, 300


def user() -> str:
    """The user's name, empty where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in passwd
        return ""


def here() -> str:
    """This machine and its user, where a change comes from."""
    return "@".join(filter(None, (user(), socket.gethostname())))[:LONGEST_ORIGIN]


@dataclass(frozen=True)
class Person:
    """Who makes a change, by default the user; from which machine; and why."""

    who: str = field(default_factory=user)
    origin: str = field(default_factory=here)
    reason: str = ""


def one_line(text: str) -> str:
    """A name or a reason as one line without control characters. Raises ValueError."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("it has characters that cannot be printed: write plain text")
    return line
