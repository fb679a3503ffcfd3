"""The properties of a run of CI, which are in all its reports. Run as a program, it checks the settings."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from text import say, writable

# What a label may be: the server takes no other.
LABEL = r"[A-Za-z_][A-Za-z0-9_./-]{0,62}=[^,]{0,253}$"


def setting(name: str) -> str:
    return os.environ.get(f"GITOPS_{name}", "")


def head() -> dict[str, Any]:
    """The common properties of a snapshot and a failed check: repo, and pipeline_url, labels, stale_after if known."""
    properties: dict[str, Any] = {"repo": setting("REPO")}
    if re.match(r"https?://[!-~]{1,1000}$", setting("PIPELINE_URL")):
        properties["pipeline_url"] = setting("PIPELINE_URL")
    if setting("LABELS"):
        properties["labels"] = dict(pair.split("=", 1) for pair in setting("LABELS").split(",") if pair)
    if setting("STALE_AFTER"):
        properties["stale_after"] = int(setting("STALE_AFTER"))
    return properties


def checked_commit() -> dict[str, str]:
    """The commit and branch that a verdict is about. A failed check has none: it says nothing about a commit."""
    values = {"commit": setting("COMMIT"), "branch": setting("BRANCH")}
    return {name: writable(value)[:1024] for name, value in values.items() if value}


def snapshot(server: str, began: str, files: list[dict[str, str]]) -> dict[str, Any]:
    """A snapshot: the differences from Git, none if `files` is empty."""
    verdict = {"sync_status": "OUT_OF_SYNC" if files else "SYNCED", "drift_count": len(files), "files": files}
    return {**head(), "server": server, **checked_commit(), "last_check": began, **verdict}


def failed_check(server: str, began: str, reason: str) -> dict[str, Any]:
    """The report of a check that was not completed. `reason` is cut to the server's limit."""
    return {**head(), "server": server, "check_failed": writable(reason)[:4096], "attempted_at": began}


def check() -> int:
    """Checks the settings that the shell does not; returns 0 if they are valid, else 1."""
    for pair in filter(None, setting("LABELS").split(",")):
        if not re.match(LABEL, pair):
            say(f"labels must have the form env=prod,owner=team-a, not '{pair}'")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(check())
