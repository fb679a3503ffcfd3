"""Where a result of Ansible names the file that it speaks of, and what differs in it."""

import difflib
import os
import re


def path_of(leaf):
    """The path of the file that a result speaks of, or None. Where it stands depends on the module and the change.

    `after_header` and the item are no help: the one is a path on the controller, the other whatever the loop has.
    """
    arguments = leaf.get("invocation")
    arguments = arguments.get("module_args") if isinstance(arguments, dict) else None
    arguments = arguments if isinstance(arguments, dict) else {}
    headers = [
        re.sub(r" \((content|file attributes)\)$", "", entry["before_header"])
        for entry in diffs_of(leaf)
        if isinstance(entry.get("before_header"), str)
    ]
    headers = [header for header in headers if header[:1] in ("/", "~") and header != "/dev/null"]
    places = [leaf.get("path"), leaf.get("dest")]
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


def one_slash(path):
    return re.sub("/+", "/", path)


def diffs_of(leaf):
    diff = leaf.get("diff")
    return [entry for entry in (diff if isinstance(diff, list) else [diff]) if isinstance(entry, dict)]


def diff_of(leaf):
    """What differs, as a person reads it: from how it is on the server to how Git has it."""
    return "".join(map(diff_text, diffs_of(leaf)))


def diff_text(entry):
    if isinstance(entry.get("prepared"), str):
        return entry["prepared"]
    before, after = entry.get("before", ""), entry.get("after", "")
    if isinstance(before, dict) and isinstance(after, dict):
        return "".join(
            f"{sign}{key}: {side[key]}\n"
            for key in sorted(before.keys() | after.keys())
            for sign, side in (("-", before), ("+", after))
            if key in side and before.get(key) != after.get(key)
        )
    lines = [[line + "\n" for line in str(side).split("\n")] for side in (before, after)]
    return "".join(difflib.unified_diff(*(side[:-1] if side[-1] == "\n" else side for side in lines), "server", "git"))
