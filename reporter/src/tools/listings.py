"""Presets for the tools that list what differs: git, kubectl diff, rsync, debsums."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from outcome import CheckFailed, Difference, Outcome, agreed, decoded, flags_of, limited, unknown, words_of
from text import say

INSTEAD_OF_UNCLEAN = "use --preset git -- etckeeper vcs -d DIR status --porcelain -z"
# The options of git and etckeeper before the subcommand that have a value.
VALUED = ("-C", "-c", "-d", "--git-dir", "--work-tree", "--namespace")


def subcommand_of(arguments: list[str]) -> str:
    words = iter(arguments)
    for word in words:
        if word in VALUED:
            next(words, None)
        elif not word.startswith("-") and word != "vcs":
            return word
    return ""


def refuse_git(arguments: list[str]) -> str | None:
    subcommand = subcommand_of(arguments)
    if subcommand == "unclean":
        return f"etckeeper unclean has exit code 0 for drift; {INSTEAD_OF_UNCLEAN}"
    if subcommand == "diff":
        needed = ["--exit-code", "--name-only", "-z"]
    elif subcommand == "status":
        needed = ["--porcelain", "-z"]
    else:
        return "the preset reads git diff --exit-code --name-only -z and git status --porcelain -z"
    missing = [option for option in needed if option not in arguments]
    return f"the command lacks {' and '.join(missing)}" if missing else None


def git(outcome: Outcome) -> list[Difference]:
    """The exit code of git diff shows whether something differs; that of git status is always 0."""
    words = [part for word in outcome.command for part in words_of(word)]
    if "--porcelain" in words:
        outcome.expect(0)
        return limited(changed_paths(outcome.fields()))
    return agreed(outcome, 1, limited(map(Difference, outcome.fields())))


def changed_paths(fields: Iterator[str]) -> Iterator[Difference]:
    for field in fields:
        if field.startswith("## "):
            continue
        if not re.match(r"[ MTADRCU?]{2} .", field, re.DOTALL):
            raise unknown(field)
        yield Difference(field[3:])
        if field[0] in "RC" or field[1] in "RC":
            origin = next(fields, None)
            if origin is None:
                raise CheckFailed("the output ends within a rename")
            # What was renamed is missing at its old path; what was copied is still there.
            if "R" in field[:2]:
                yield Difference(origin)


def refuse_kubectl_diff(arguments: list[str]) -> str | None:
    return None if "diff" in arguments else "the preset reads kubectl diff"


def reads_standard_input(command: list[str]) -> bool:
    words = [part for word in command for part in words_of(word)]
    return any(re.match(r"(-|/dev/stdin|-[A-Za-z]*f=?-|--filename=-)$", word) for word in words)


def manifests_of(command: list[str]) -> Iterator[str]:
    """The files that the option -f names."""
    words = [part for word in command for part in words_of(word)]
    for word, following in zip(words, [*words[1:], ""]):
        if re.match(r"(-[A-Za-z]*f|--filename)$", word):
            yield from following.split(",")
        elif match := re.match(r"(?:-f=?|--filename=)(.+)$", word):
            yield from match.group(1).split(",")


def is_empty_manifest(path: str) -> bool:
    with open(path, "rb") as file:
        return all(line.split(b"#", 1)[0].strip() in (b"", b"---", b"...") for line in file)


def kubectl_diff(outcome: Outcome) -> list[Difference]:
    """The output of diff on two directories with a file for each object, GROUP.VERSION.KIND.NAMESPACE.NAME."""
    # For a file without objects, the exit code of kubectl is 0.
    for path in manifests_of(outcome.command):
        if os.path.isfile(path) and is_empty_manifest(path):
            raise CheckFailed(f"the file has no object: {path}")
    differences: list[Difference] = []
    for line in outcome.messages():
        # diff puts names with odd characters in quotes.
        header = re.match(r"diff .*/LIVE-\d+/([^/'\"]+)['\"]? .*/MERGED-\d+/\1['\"]?$", line)
        only = re.match(r"Only in .*/(?:LIVE|MERGED)-\d+['\"]?: (.+)$", line)
        if header or only:
            differences += [Difference(match.group(1), "other") for match in (header, only) if match]
        elif not line.startswith((" ", "+", "-", "@@ ", "\\")):
            raise unknown(line)
    return agreed(outcome, 1, differences)


def refuse_rsync(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "efBTM@")
    if not flags & {"-n", "--dry-run"}:
        return "the command lacks --dry-run: without it, rsync changes the destination"
    if not flags & {"-i", "--itemize-changes"}:
        return "the command lacks --itemize-changes: without it, rsync does not list the differences"
    hiding = {"-q", "--quiet", "--out-format", "--log-format", "--info", "--no-i", "--no-itemize-changes", "--no-n"}
    hiding |= {"--no-dry-run"}
    for flag in sorted(flags & hiding):
        return f"the command has {flag}, which may hide differences"
    return None


def rsync(outcome: Outcome) -> list[Difference]:
    """A line of --itemize-changes for what the run would change: 11 characters, a space, the name."""
    outcome.expect(0)
    for path in outcome.command[1:-1]:
        # Without --delete an empty source has nothing that could differ.
        if os.path.isdir(path) and not os.listdir(path):
            raise CheckFailed(f"the source is empty: {path}")
    return limited(itemized(outcome.lines()))


def itemized(lines: Iterator[str]) -> Iterator[Difference]:
    for line in lines:
        if not line:
            continue
        if line.startswith("skipping non-regular file "):
            raise CheckFailed(f"not compared: {line[26:]}; see the option --links of rsync")
        match = re.match(r"(?:([<>ch.])([fdLDS])([.+?a-zA-Z ]{9})|\*deleting {2}) (.+)$", line)
        if not match:
            raise unknown(line)
        update, kind, attributes, name = match.groups()
        # With -ii, files without a difference are listed, too.
        if update == "." and not attributes.strip(" ."):
            continue
        if kind == "L":
            name = name.split(" -> ")[0]
        elif update == "h":
            name = name.split(" => ")[0]
        yield Difference(unescaped(name))


def unescaped(name: str) -> str:
    """The original name: rsync writes characters that a terminal cannot show as `\\#` and three octal digits."""
    text = name.encode("utf-8", "surrogateescape")
    return decoded(re.sub(rb"\\#([0-3][0-7]{2})", lambda match: bytes([int(match.group(1), 8)]), text))


def refuse_debsums(arguments: list[str]) -> str | None:
    if flags_of(arguments, "rdpg") & {"-c", "--changed", "-s", "--silent"}:
        return None
    return "the command lacks --changed: without it, debsums lists every file"


def debsums(outcome: Outcome) -> list[Difference]:
    """Changed files are on standard output, missing files on standard error."""
    if not flags_of(outcome.command, "rdpg") & {"-a", "--all", "-e", "--config"}:
        say("  changed configuration files are not checked; see the option --all of debsums")
    # 1 and 3: some package could not be checked.
    outcome.expect(0, 2)
    differences = limited(map(Difference, outcome.lines()))
    for line in outcome.messages("stderr"):
        match = re.match(r"debsums: can't check \S+ file (/.*) \(not a regular file\)$", line) or re.match(
            r"debsums: (?:missing|changed) file (/.*?)(?: \(observed:\S+ expected:\S+\))? \(from \S+ package\)$", line
        )
        if match:
            differences.append(Difference(match.group(1)))
        elif line.startswith("debsums: "):
            raise CheckFailed(line)
    return agreed(outcome, 2, differences)
