"""The file of a result of Ansible, and the differences in it."""

from __future__ import annotations

import difflib
import os
import re
from typing import Any

from results import Result


def path_of(leaf: Result) -> str | None:
    """The path of the file of a result. Its property depends on the module and the change.

    The item does not name it: a loop may have any items. Nor does `after_header`, which is a path on the controller
    except for a module that makes the file.
    """
    arguments = arguments_of(leaf)
    entries = diffs_of(leaf)
    headers = [header_of(entry) for entry in entries]
    headers = [header for header in headers if header[:1] in ("/", "~")]
    places: list[Any] = [leaf.get("gitops_path"), leaf.get("path"), leaf.get("dest")]
    places += [arguments.get(name) for name in ("dest", "path", "sysctl_file")] + headers
    path = next((place for place in places if isinstance(place, str) and place), None)
    if path is None:
        return None
    # The destination may be the directory that the file is put into.
    for header in headers:
        if header.startswith(path.rstrip("/") + "/"):
            return header
    source = arguments.get("src")
    if path.endswith("/") and isinstance(source, str):
        return path + os.path.basename(source)
    return path


def header_of(entry: dict[str, Any]) -> str:
    header = entry.get("before_header")
    if header == "/dev/null":
        header = entry.get("after_header")
    return re.sub(r" \((content|file attributes)\)$", "", header) if isinstance(header, str) else ""


def arguments_of(leaf: Result) -> dict[str, Any]:
    invocation = leaf.get("invocation")
    arguments = invocation.get("module_args") if isinstance(invocation, dict) else None
    return arguments if isinstance(arguments, dict) else {}


def diffs_of(leaf: Result) -> list[dict[str, Any]]:
    diff = leaf.get("diff")
    return [entry for entry in (diff if isinstance(diff, list) else [diff]) if isinstance(entry, dict)]


def diff_of(leaf: Result) -> str:
    """The differences as readable text: from the content on the server to the content in Git."""
    return "".join(map(diff_text, diffs_of(leaf)))


def diff_text(entry: dict[str, Any]) -> str:
    prepared = entry.get("prepared")
    if isinstance(prepared, str):
        return prepared
    before, after = entry.get("before", ""), entry.get("after", "")
    if isinstance(before, dict) and isinstance(after, dict):
        return "".join(
            f"{sign}{key}: {side[key]}\n"
            for key in sorted(before.keys() | after.keys())
            for sign, side in (("-", before), ("+", after))
            if key in side and before.get(key) != after.get(key)
        )
    return "".join(difflib.unified_diff(lines_of(before), lines_of(after), "server", "git"))


def lines_of(text: Any) -> list[str]:
    lines = [line + "\n" for line in str(text).split("\n")]
    return lines[:-1] if lines[-1] == "\n" else lines
