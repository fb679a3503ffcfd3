"""Reports the outcome of a command for a server: a snapshot or a failed check. See report.sh."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from delivery import write_posts
from outcome import CheckFailed, Difference, Outcome, arguments_of, without_colors
from presets import PRESETS, preset_for
from run import check as check_run
from run import failed_check, setting, snapshot
from text import as_name, say, tell_all, unique

# Limits of the server.
TARGET_NAME_MAX = 253
NAME_MAX = 4096
# Limits of standard error in a failed check.
TAIL_BYTES = 2000
TAIL_LINES = 5


def check(work: str, preset: str, server: str, *command: str) -> int:
    """Checks the command before it is run; writes the name of the preset to WORK/preset. Returns 2 if it is refused."""
    fault = fault_of(preset, server, list(command))
    if fault:
        say(f"report.sh: {fault}")
        return 2
    with open(os.path.join(work, "preset"), "w", encoding="utf-8") as file:
        file.write(preset or preset_for(list(command)) or "")
    return 2 if check_run() else 0


def fault_of(name: str, server: str, command: list[str]) -> str | None:
    for what, option, value in (("server", "server", server), ("repository", "repo", setting("REPO"))):
        if not value or as_name(value) != value or len(value) > TARGET_NAME_MAX:
            faulty = f"must have 1 to {TARGET_NAME_MAX} characters, all visible, not {value!r}"
            return f"the {what}'s name {faulty}; see --{option}"
    known = name or preset_for(command)
    if known is None:
        return f"there is no preset for {command[0]}; choose one of {', '.join(PRESETS)}"
    preset = PRESETS.get(known)
    if preset is None:
        return f"the preset {known} is unknown; choose one of {', '.join(PRESETS)}"
    arguments = arguments_of(command, preset.programs) if preset.programs else command
    if arguments is None:
        return f"the preset {known} needs {' or '.join(preset.programs)} in the command"
    return preset.refuse(arguments)


def report(work: str, server: str, began: str, *command: str) -> int:
    """Writes the posts to WORK/posts; returns 0 if the server was checked, else 1."""
    with open(os.path.join(work, "preset"), encoding="utf-8") as file:
        preset = file.read()
    differences, fault = judge(work, preset, list(command))
    if fault:
        say(f"{server}: CHECK FAILED")
        tell_all([fault])
        write_posts(work, [failed_check(server, began, fault)])
        return 1
    files = files_of(differences, base_of(server))
    say(f"{server}: OUT_OF_SYNC, drifted: {len(files)}" if files else f"{server}: SYNCED")
    tell_all(file["name"] for file in files)
    write_posts(work, [snapshot(server, began, files)])
    return 0


def judge(work: str, preset: str, command: list[str]) -> tuple[list[Difference], str]:
    """The differences, and the fault if the check failed."""
    run = read_run(work)
    program = os.path.basename(command[0])
    if run.get("fault"):
        return [], f"{program}: {run['fault']}"
    code = run["code"]
    if code < 0:
        return [], with_tail(f"{program}: it was ended by signal {-code}", work)
    outcome = Outcome(command, code, work)
    try:
        differences = list(PRESETS[preset].read(outcome))
    except CheckFailed as error:
        return [], with_tail(f"{program}: {error}", work)
    # Incomplete output may lack differences. Standard error may stay open: that of ssh does.
    faults = run["faults"]
    for stream in PRESETS[preset].streams:
        if stream in faults:
            return [], f"{program}: its {stream} is not complete: {faults[stream]}"
    return differences, ""


def read_run(work: str) -> dict[str, Any]:
    try:
        with open(os.path.join(work, "outcome.json"), encoding="utf-8") as file:
            run: dict[str, Any] = json.load(file)
            return run
    except (OSError, ValueError):
        return {"fault": "its outcome is not known"}


def with_tail(fault: str, work: str) -> str:
    """A fault, followed by the last lines of the command's standard error."""
    with open(os.path.join(work, "stderr"), "rb") as file:
        file.seek(max(0, os.path.getsize(file.name) - TAIL_BYTES))
        text = without_colors(file.read().decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines()]
    lines = unique(line for line in lines if line and line not in fault)
    return "; ".join([re.sub(r"\s*\n\s*", " ", fault), *lines[-TAIL_LINES:]])


def base_of(server: str) -> str:
    """The directory that names are relative to, with a slash at its end; empty if there is none."""
    base = setting("BASE_PATH").replace("{host}", server)
    return re.sub("/+", "/", base + "/") if base else ""


def files_of(differences: list[Difference], base: str) -> list[dict[str, str]]:
    """The differences in the form of the API, sorted, each name once."""
    files: dict[str, dict[str, str]] = {}
    for name, kind in differences:
        if kind == "file":
            name = re.sub("/+", "/", name).rstrip("/") or "/"
            name = name[len(base) :] if base and name.startswith(base) else name
        name = as_name(name)
        name = name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"
        files.setdefault(name, {"name": name} if kind == "file" else {"name": name, "kind": kind})
    return [files[name] for name in sorted(files)]


if __name__ == "__main__":
    sys.exit({"check": check, "report": report}[sys.argv[1]](*sys.argv[2:]))
