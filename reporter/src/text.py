"""Text for the log and for the server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

# What the server refuses in a name, and what it refuses at the ends of one.
UNSEEN = (
    r"[\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
BLANK = r"[ \xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]"

FAULTS_MAX = 20


def writable(text: str) -> str:
    """Text that UTF-8 can write: bytes of a name that are not UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_name(text: str) -> str:
    """A name that the server accepts: invisible characters, and blanks at either end, are escaped."""
    return re.sub(f"{UNSEEN}|^{BLANK}|{BLANK}$", lambda match: f"\\u{ord(match.group()):04x}", text)


def unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def tell_all(texts: Iterable[str]) -> None:
    texts = unique(texts)
    for text in texts[:FAULTS_MAX]:
        say(f"  {text}")
    if len(texts) > FAULTS_MAX:
        say(f"  … and {len(texts) - FAULTS_MAX} more")


def say(text: str) -> None:
    """Writes a line to the log. Control characters are escaped: names come from servers."""
    shown = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
    print(writable(shown), file=sys.stderr)
