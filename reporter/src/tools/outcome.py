"""The outcome of a command as the presets read it, and the differences that they return."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

# Limits of the kept output for each of the command's two streams, and of a line.
KEPT_MAX = 256 * 1024 * 1024
LINE_MAX = 1024 * 1024
DOCUMENT_MAX = 64 * 1024 * 1024
SHOWN_MAX = 200
# More names than any server has files to compare; the post has room for the first few thousand.
NAMES_MAX = 500_000


class CheckFailed(Exception):
    """The reason why the outcome does not show whether anything differs."""


class Difference(NamedTuple):
    name: str
    # file or other.
    kind: str = "file"


@dataclass(frozen=True)
class Outcome:
    """The output of a command, in the files of a directory, and its exit code."""

    command: list[str]
    code: int
    work: str

    @property
    def program(self) -> str:
        return program_of(self.command)

    def lines(self, stream: str = "stdout") -> Iterator[str]:
        """The lines of a stream without their ends. Bytes that are not UTF-8 become surrogates."""
        with open(self.path(stream), "rb") as file:
            while line := file.readline(LINE_MAX + 1):
                if len(line) > LINE_MAX:
                    raise CheckFailed(f"{stream} has a line of more than {LINE_MAX // 1024} KiB")
                yield decoded(line).rstrip("\n")

    def messages(self, stream: str = "stdout") -> Iterator[str]:
        """The lines that are not blank, without colors."""
        for line in self.lines(stream):
            text = without_colors(line).rstrip()
            if text:
                yield text

    def fields(self) -> Iterator[str]:
        """The texts on standard output that each end with NUL."""
        rest = b""
        with open(self.path("stdout"), "rb") as file:
            while chunk := file.read(LINE_MAX):
                *whole, rest = (rest + chunk).split(b"\0")
                yield from map(decoded, whole)
                if len(rest) > LINE_MAX:
                    break
        if rest:
            raise CheckFailed(f"standard output ends without NUL: {shown(decoded(rest))}")

    def document(self) -> Any:
        """Standard output as one JSON document."""
        with open(self.path("stdout"), "rb") as file:
            content = file.read(DOCUMENT_MAX + 1)
        if len(content) > DOCUMENT_MAX:
            raise CheckFailed(f"the JSON document has more than {DOCUMENT_MAX // 1024 // 1024} MiB")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CheckFailed(f"standard output is not JSON: {error}") from None

    def expect(self, *codes: int) -> None:
        """Fails the check if the exit code is none of these."""
        if self.code not in codes:
            raise CheckFailed(f"exit code {self.code}")

    def path(self, stream: str) -> str:
        return os.path.join(self.work, stream)


def limited(differences: Iterable[Difference]) -> list[Difference]:
    """The differences. Fails the check if there are more than NAMES_MAX, which limits the memory."""
    found = list(islice(differences, NAMES_MAX + 1))
    if len(found) > NAMES_MAX:
        raise CheckFailed(f"the output names more than {NAMES_MAX} differences")
    return found


def agreed(outcome: Outcome, drifted: int, differences: list[Difference]) -> list[Difference]:
    """The differences. Fails the check if the exit code disagrees: 0 means none, `drifted` means some."""
    outcome.expect(0, drifted)
    if outcome.code == 0 and differences:
        raise CheckFailed(f"exit code 0, but the output names a difference: {shown(differences[0].name)}")
    if outcome.code != 0 and not differences:
        raise CheckFailed(f"exit code {outcome.code}, but the output names no difference")
    return differences


def unknown(line: str) -> CheckFailed:
    return CheckFailed(f"the output has a line of an unknown form: {shown(line)}")


def shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…")


def decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)


def program_of(command: list[str]) -> str:
    return os.path.basename(command[0])


def arguments_of(command: list[str], programs: tuple[str, ...]) -> list[str] | None:
    """The arguments of the first of these programs in a command, perhaps run by sudo, ssh or `sh -c`; else None."""
    for position, word in enumerate(command):
        if os.path.basename(word) in programs:
            return command[position + 1 :]
    for word in command:
        parts = words_of(word)
        if len(parts) > 1 and (found := arguments_of(parts, programs)) is not None:
            return found
    return None


def words_of(text: str) -> list[str]:
    """The words of a text in the syntax of sh."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def flags_of(arguments: list[str], valued: str = "") -> set[str]:
    """The options among arguments, without their values: `-n`, `--dry-run`. `valued` are the letters with a value."""
    flags: set[str] = set()
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            break
        if word.startswith("--"):
            flags.add(word.split("=", 1)[0])
            continue
        for place, letter in enumerate(word[1:] if word.startswith("-") else "", 2):
            flags.add(f"-{letter}")
            if letter in valued:
                position += place == len(word)
                break
    return flags
