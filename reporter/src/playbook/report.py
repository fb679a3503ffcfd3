"""Makes the report from Ansible's results: a snapshot or a failed check for each server."""

from __future__ import annotations

import json
import os
import sys

from delivery import write_posts
from masks import Masks, read_patterns
from run import setting
from servers import read_document, read_servers
from text import say

DIFFS_MAX = 512 * 1024


def build(work: str, ansible_code: str, began: str) -> int:
    """Writes the posts to WORK/posts; returns 0 if all checks were completed, else 1."""
    send_diff, show_diff = setting("SEND_DIFF") == "true", setting("SHOW_DIFF") == "true"
    document = read_document(os.path.join(work, "result.json"))
    selection = document and document.get("selection")
    accept_partial = setting("ACCEPT_PARTIAL") == "true"
    if selection and not accept_partial:
        options = ", ".join(f"{option} {value}" for option, value in sorted(selection.items()))
        say(f"Nothing is reported: the check ran only a part of the playbook ({options}). See --accept-partial.")
        return 1
    servers = read_servers(document, setting("BASE_PATH"), accept_partial) if document else []
    for server in servers:
        server.tell(show_diff)

    diffs = Budget(DIFFS_MAX if send_diff else 0)
    masks = Masks(read_patterns(setting("MASK_FILE")) if setting("MASK_FILE") else ())
    write_posts(work, [server.report(began, diffs, masks) for server in servers])
    if send_diff and diffs.refused:
        say(f"The diffs of {diffs.refused} files are not sent: together they are larger than {DIFFS_MAX // 1024} KiB.")
    if document is None:
        say("No server is reported: ansible-playbook ended without a result.")
    elif not servers:
        say("No server is reported: no server was checked. Does hosts: of the playbook match any in the inventory?")
    if ansible_code != "0":
        say(f"ansible-playbook ended with exit code {ansible_code}.")
    all_checked = servers and not any(server.faults for server in servers)
    return 0 if all_checked and ansible_code == "0" else 1


class Budget:
    """Accepts texts until their size as JSON exceeds a limit."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.refused = 0

    def take(self, text: str) -> bool:
        size = len(json.dumps(text, ensure_ascii=False).encode())
        if size > self.left:
            self.refused += 1
            return False
        self.left -= size
        return True


if __name__ == "__main__":
    sys.exit(build(*sys.argv[1:]))
