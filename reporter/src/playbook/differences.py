"""The name of a changed result: the files that differ, or another object."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from modules import KINDS, NO_FILES
from paths import arguments_of, diffs_of, path_of
from results import LABEL_MAX, Result, label_of
from text import as_name

ITEMIZED = re.compile(r"(?:[<>ch.*][fdLDS]\S{9}|[<>c.][fdL]\S{6}\.\?\?|\*deleting {2,}) (.+)")


class Difference(NamedTuple):
    name: str
    is_file: bool


class Namer:
    """Names the differences of one server."""

    def __init__(self, base: str) -> None:
        self.base = base
        # By name, the tasks that have it, in the order of the run.
        self.tasks: dict[str, list[int]] = {}

    def title(self, name: str, task: int) -> str:
        """The name of a task, unique on the server."""
        tasks = self.tasks.setdefault(name, [])
        if task not in tasks:
            tasks.append(task)
        number = tasks.index(task) + 1
        return name[:LABEL_MAX] if number == 1 else f"{name[:LABEL_MAX]} ({number})"

    def names(self, leaf: Result, action: str, title: str, position: int | None) -> list[Difference]:
        """The differences of a changed result. `title` is the task's."""
        arguments = arguments_of(leaf)
        if leaf.get("censored"):
            return [Difference(as_name(f"(hidden by no_log) {title}"), False)]
        if action == "mount" and arguments.get("state") in ("present", "absent_from_fstab"):
            return [self.file(str(leaf.get("fstab") or "/etc/fstab"))]
        if action == "cron" and arguments.get("cron_file"):
            return [self.file(posixpath.join("/etc/cron.d", arguments["cron_file"]))]
        paths = [] if action in NO_FILES else written_paths(leaf, action)
        return [self.file(path) for path in paths] or [Difference(other_name(leaf, action, title, position), False)]

    def file(self, path: str) -> Difference:
        path = normalized(path)
        return Difference(as_name(path[len(self.base) :] if path.startswith(self.base) else path), True)


def other_name(leaf: Result, action: str, title: str, position: int | None) -> str:
    arguments = arguments_of(leaf)
    name = arguments.get("path" if action == "mount" else "name") or arguments.get("package")
    name = ", ".join(map(str, name)) if isinstance(name, list) else name
    if action in KINDS and name and isinstance(name, str):
        return as_name(f"{KINDS[action]} {name[:LABEL_MAX]}")
    return as_name(title + label_of(leaf, position))


def written_paths(leaf: Result, action: str) -> list[str]:
    """The files that a module writes; none if it names none."""
    arguments = arguments_of(leaf)
    if leaf.get("gitops_files"):
        return [str(path) for path in leaf["gitops_files"]]
    if action == "pamd" and arguments.get("name"):
        return [posixpath.join(arguments.get("path") or "/etc/pam.d", arguments["name"])]
    path = path_of(leaf)
    if action in ("synchronize", "unarchive") and path:
        itemized = [
            ITEMIZED.match(line) for entry in diffs_of(leaf) for line in str(entry.get("prepared", "")).splitlines()
        ]
        names = [match.group(1).split(" -> ")[0] for match in itemized if match]
        # rsync lists the directory itself, too.
        files = [name for name in names if not name.endswith("/")] or names
        root = path.split(":", 1)[-1]
        return [posixpath.join(root, name) for name in files] or [root]
    return [path] if path else []


def normalized(path: str) -> str:
    """One name for each path: without `..`, double slashes or a slash at its end."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path
