"""What the tests share."""

from __future__ import annotations

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from outcome import CheckFailed, Difference, Outcome
from presets import PRESETS

# File names that some tool or some reader takes apart.
ODD_NAMES = [
    " a",
    "a ",
    "a  b",
    "a -> b",
    "a => b",
    "a: b",
    "a'b",
    "a' b",
    'a"b',
    "a\\b",
    "a\\#134b",
    "a\tb",
    "a\nb",
    "\n",
    "a\rb",
    "a\x1b[31mb",
    "a\x7fb",
    "ü",
    "日本",
    "a\u200bb",
    "a\ud800b".encode("utf-8", "replace").decode(),
    b"a\xffb".decode("utf-8", "surrogateescape"),
    "-n",
    "#a",
    "&<b>",
    "$(touch x)",
    "*",
    "x" * 255,
]


def read(
    preset: str, command: str, stdout: str | bytes = "", code: int = 0, stderr: str | bytes = ""
) -> list[Difference] | str:
    """What a preset makes of an outcome: the differences, or why there are none."""
    with TemporaryDirectory() as work:
        for name, content in (("stdout", stdout), ("stderr", stderr)):
            Path(work, name).write_bytes(encoded(content))
        try:
            return list(PRESETS[preset].read(Outcome(shlex.split(command), code, work)))
        except CheckFailed as fault:
            return str(fault)


def encoded(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")


def files(*names: str) -> list[Difference]:
    return [Difference(name) for name in names]


def others(*names: str) -> list[Difference]:
    return [Difference(name, "other") for name in names]
