"""The results of a run of Ansible for each server."""

from __future__ import annotations

import json
from typing import Any

from differences import Difference, Namer, normalized
from masks import Masks
from modules import IDLE, IMPERATIVE, NEVER_CHANGE
from paths import diff_of
from results import Result, action_of, failures_of, leaves_of, suppressed_failure
from run import failed_check, snapshot
from text import FAULTS_MAX, say, tell_all, unique, writable

DIFF_MAX = 16 * 1024


def read_document(path: str) -> Any:
    """The document of the callback; None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_servers(document: Any, base_path: str, accept_partial: bool) -> list[Server]:
    """The servers of a document, each with its differences, and with its faults if the check failed."""
    # Ansible's own localhost, on which a play prepares the check, is no server; one of the inventory is.
    names = sorted(name for name, is_implicit in document["hosts"].items() if not is_implicit)
    servers = {name: Server(name, base_path, accept_partial) for name in names}
    for play in document["plays"]:
        questions = [f"no answer to {question}" for question in questions_of(play)]
        for name in servers.keys() & play["hosts"]:
            servers[name].faults += questions
        for task in play["tasks"]:
            for name in servers.keys() & task["hosts"].keys():
                servers[name].add(task["task"], task["hosts"][name])
    for name, server in servers.items():
        server.conclude(document["stats"].get(name, {}), document["unfinished"].get(name, []), document["errors"])
    return list(servers.values())


def questions_of(play: dict[str, Any]) -> list[str]:
    """The questions of a play, which get no answer in CI."""
    questions = [f"vars_prompt '{name}' (set it with --extra-vars)" for name in play["questions"]]
    for task in play["tasks"]:
        if task["task"].get("asks") and any(not result.get("skipped") for result in task["hosts"].values()):
            questions.append(f"the pause '{task['task']['name']}'")
    return questions


class Server:
    def __init__(self, name: str, base_path: str, accept_partial: bool) -> None:
        self.name = name
        self.accept_partial = accept_partial
        self.namer = Namer(normalized(base_path.replace("{host}", name)).rstrip("/") + "/")
        # The reasons why the check was not completed.
        self.faults: list[str] = []
        # By difference, what differs in it.
        self.differences: dict[Difference, list[str]] = {}
        self.remarks: list[str] = []
        self.looked_at = False
        self.tasks = 0

    def add(self, task: dict[str, Any], result: Result) -> None:
        """Takes the result of one task."""
        self.tasks += 1
        action = action_of(result)
        title = str(task.get("name") or action)
        unique_title = self.namer.title(title, self.tasks)
        failures = failures_of(result)
        self.faults += [f"'{title}' {failure}" for failure in failures[:FAULTS_MAX]]
        for position, leaf in leaves_of(result):
            if leaf.get("skipped"):
                self.skip(task, action, title, leaf)
                continue
            if "changed" not in leaf and not failures and not action.startswith("include"):
                self.faults.append(f"the result of '{title}' does not say whether something differs")
            self.looked_at = self.looked_at or action not in IDLE
            failure = suppressed_failure(leaf, action)
            if failure:
                self.faults.append(f"'{title}' failed, which failed_when hides: {failure}")
            # A result without a change has a diff and a path, too: only `changed` decides.
            if not leaf.get("changed") or leaf.get("failed") or action in NEVER_CHANGE:
                continue
            # What a handler changes follows from another change.
            if task.get("handler"):
                continue
            if task.get("for_real") and action not in IMPERATIVE:
                self.remarks.append(f"CHANGED FOR REAL by a task with check_mode: false: {title}")
            for difference in self.namer.names(leaf, action, unique_title, position):
                self.differences.setdefault(difference, []).append(diff_of(leaf))

    def skip(self, task: dict[str, Any], action: str, title: str, leaf: Result) -> None:
        """Takes a skipped task: a module without check mode did not check its object."""
        acts = action in IMPERATIVE and not (action == "uri" and task.get("writes"))
        if acts or "check mode" not in str(leaf.get("msg")):
            return
        remark = f"'{title}' was not checked: {action} has no check mode here"
        if self.accept_partial:
            self.remarks.append(remark)
        else:
            self.faults.append(f"{remark}. Skip it with `when: not ansible_check_mode`, or use --accept-partial")

    def conclude(self, counts: dict[str, int], unfinished: list[dict[str, str]], errors: list[str]) -> None:
        """Takes Ansible's own counts: everything in them must be among the faults."""
        ended = [f"meta ended the play before '{event['task']}'" for event in unfinished if event["why"] == "ended"]
        if not self.accept_partial:
            self.faults += [f"{each}; see --accept-partial" for each in ended[:1]]
        if not self.faults:
            self.faults += unique(stopped(event, errors) for event in unfinished if event["why"] != "ended")
        for kind in ("unreachable", "failures", "ignored", "rescued"):
            if counts.get(kind) and not self.faults:
                self.faults.append(f"ansible-playbook counts {counts[kind]} {kind}")
        if not self.looked_at and not self.faults:
            self.faults.append("nothing was checked: every task was skipped")

    def tell(self, show_diff: bool) -> None:
        """Logs the result."""
        found = sorted(self.differences)
        if self.faults:
            say(f"{self.name}: CHECK FAILED")
            tell_all(self.faults)
        elif found:
            say(f"{self.name}: OUT_OF_SYNC, drifted: {len(found)}")
        else:
            say(f"{self.name}: SYNCED")
        if self.faults and found:
            say("  differences found before that:")
        for difference in found:
            say(f"  {difference.name}")
            for line in self.diff(difference).splitlines() if show_diff else []:
                say(f"    {line}")
        tell_all(self.remarks)

    def diff(self, difference: Difference) -> str:
        """The text of a difference, with at most DIFF_MAX bytes and one more line."""
        text = writable("".join(unique(self.differences[difference])))
        if len(text.encode()) <= DIFF_MAX:
            return text
        return text.encode()[:DIFF_MAX].decode("utf-8", "ignore") + f"\n… (cut at {DIFF_MAX // 1024} KiB)\n"

    def report(self, began: str, diffs: Any, masks: Masks) -> dict[str, Any]:
        """A snapshot, or a failed check if there are faults."""
        if self.faults:
            return failed_check(self.name, began, "; ".join(unique(self.faults)))
        files = []
        # A name is a file's, if both have it.
        for difference in {each.name: each for each in sorted(self.differences)}.values():
            entry = {"name": difference.name} if difference.is_file else {"name": difference.name, "kind": "other"}
            diff = masks.hide(self.diff(difference))
            files.append(dict(entry, diff=diff) if diff and diffs.take(diff) else entry)
        return snapshot(self.name, began, files)


def stopped(event: dict[str, str], errors: list[str]) -> str:
    """The reason why the check of a server was not completed, though none of its own tasks failed."""
    if event["why"] == "failed":
        return event["error"] or "the check was stopped early, because another server failed"
    if event["why"] == "left":
        return f"the check was stopped before '{event['task']}'" + (f": {errors[-1]}" if errors else "")
    return f"Ansible ended before the start of the play '{event['play']}'" + (f": {errors[-1]}" if errors else "")
