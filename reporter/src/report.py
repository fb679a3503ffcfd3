"""Makes the report of what Ansible has found: a snapshot or a failed check for each server."""

import json
import os
import re
import sys

from delivery import answer, posts_of
from servers import read_document, read_servers
from text import say, writable

DIFFS_MAX = 512 * 1024
# The server takes no other name of a label.
LABEL = r"[A-Za-z_][A-Za-z0-9_./-]{0,62}=[^,]{0,253}$"


def check():
    """Checks the settings that the shell does not; returns 0 if they are valid, else 2."""
    for pair in filter(None, setting("LABELS").split(",")):
        if not re.match(LABEL, pair):
            say(f"update-gitops-status: the labels must be such as env=prod,owner=team-a, not '{pair}'")
            return 2
    return 0


def setting(name):
    return os.environ.get(f"GITOPS_{name}", "")


def build(work, ansible_code, last_check):
    """Writes the posts to WORK/posts; returns 0 if every server was checked to its end, else 1."""
    send_diff, show_diff = setting("SEND_DIFF") == "true", setting("SHOW_DIFF") == "true"
    document = read_document(os.path.join(work, "result.json"))
    selection = document and document.get("selection")
    if selection and setting("ACCEPT_PARTIAL") != "true":
        options = ", ".join(f"{option} {value}" for option, value in sorted(selection.items()))
        say(f"Nothing is reported: the check was only a part of the playbook ({options}). See --accept-partial.")
        return 1
    servers = read_servers(document, setting("BASE_PATH")) if document else []
    for server in servers:
        server.tell(show_diff)

    checked = [server for server in servers if not server.faults]
    common, verdict = {"repo": setting("REPO")}, dict(from_ci(), last_check=last_check)
    if "pipeline_url" in verdict:
        common["pipeline_url"] = verdict.pop("pipeline_url")
    if setting("LABELS"):
        common["labels"] = dict(pair.split("=", 1) for pair in setting("LABELS").split(",") if pair)
    if setting("STALE_AFTER"):
        common["stale_after"] = int(setting("STALE_AFTER"))
    diffs = Budget(DIFFS_MAX if send_diff else 0)
    reports = [server.report(common, verdict, diffs) for server in servers]
    if send_diff and diffs.refused:
        say(f"The diffs of {diffs.refused} files are not sent: together they have more than {DIFFS_MAX // 1024} KiB.")
    for number, post in enumerate(posts_of(reports)):
        with open(os.path.join(work, "posts", f"{number:04}.json"), "w", encoding="utf-8") as file:
            file.write(post)
    if document is None:
        say("No server is reported: ansible-playbook ended without a result.")
    elif not servers:
        say("No server is reported: none was checked. Are there any in the inventory that the playbook's hosts: match?")
    if ansible_code != "0":
        say(f"ansible-playbook ended with exit code {ansible_code}.")
    return 0 if servers and checked == servers and ansible_code == "0" else 1


class Budget:
    """Lets texts through until they have more bytes than are to be had, as JSON."""

    def __init__(self, left):
        self.left = left
        self.refused = 0

    def take(self, text):
        size = len(json.dumps(text, ensure_ascii=False).encode())
        if size > self.left:
            self.refused += 1
            return False
        self.left -= size
        return True


def from_ci():
    """What Woodpecker tells of the run, as far as a snapshot may have it."""
    names = {"commit": "CI_COMMIT_SHA", "branch": "CI_COMMIT_BRANCH", "pipeline_url": "CI_PIPELINE_URL"}
    values = {name: os.environ.get(variable, "") for name, variable in names.items()}
    if not re.match(r"https?://[!-~]{1,1000}$", values["pipeline_url"]):
        del values["pipeline_url"]
    return {name: writable(value)[:1024] for name, value in values.items() if value}


sys.exit({"check": check, "build": build, "answer": answer}[sys.argv[1]](*sys.argv[2:]))
