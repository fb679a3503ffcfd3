"""Hides text that looks like a secret before it leaves the machine. Run as a program, it checks a file of patterns."""

from __future__ import annotations

import re
import sys

from text import say

HIDDEN = "***"

# Each hides its group `secret`, or all that it matches if it has none. None begins with a repetition, which would take
# quadratic time.
PATTERNS = (
    # The keys and certificates of PEM, and of OpenSSH.
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    # A line of such a block that stands alone.
    r"(?m)^[-+ ]?[ \t]*(?P<secret>[A-Za-z0-9+/]{40,}={0,2})$",
    # password = …, "api_key": "…", DB_PASSWORD=…, <token>…</token>
    r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api_?-?key|access_?-?key|private_?-?key|credentials?|psk|pwd|community)"
    r"[\w.-]*[\"']?[ \t]*(?:=>|[:=>]|[ \t])[ \t]*(?P<secret>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<;,][^\n<;,]*)",
    # Authorization: Bearer …, Basic …
    r"(?i)\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9+/=._~-]{8,})",
    # scheme://user:password@host
    r"://[^\s/:@]*:(?P<secret>[^\s/@]+)@",
    # The hashes of crypt(3), as in /etc/shadow.
    r"(?P<secret>\$(?:1|2[abxy]?|5|6|7|y|argon2\w*)\$[^\s:\"']+)",
)


class Masks:
    def __init__(self, more: tuple[str, ...] = ()) -> None:
        """`more` are regular expressions of Python's `re`; raises `re.error` if one is none."""
        self.patterns = [re.compile(pattern, re.DOTALL if "BEGIN" in pattern else 0) for pattern in (*PATTERNS, *more)]

    def hide(self, text: str) -> str:
        for pattern in self.patterns:
            text = pattern.sub(hidden, text)
        return text


def hidden(match: re.Match[str]) -> str:
    group = "secret" if "secret" in match.re.groupindex else 0
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match.group()[:start] + HIDDEN + match.group()[end:]


def read_patterns(path: str) -> tuple[str, ...]:
    """The patterns of a file, one a line; an empty line and one that begins with # count as none."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip("\r\n") for line in file]
    return tuple(line for line in lines if line and not line.startswith("#"))


def check(path: str) -> int:
    """Returns 0 if the patterns of a file are valid, else 1."""
    try:
        Masks(read_patterns(path))
    except (OSError, UnicodeDecodeError, re.error) as error:
        detail = f"'{error.pattern!s}': {error}" if isinstance(error, re.error) else str(error)
        say(f"the mask file {path} must have one regular expression a line: {detail}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[1]))
