"""What a run of Ansible says of each server."""

import json

from paths import diff_of, one_slash, path_of
from run import failed_check, snapshot
from text import FAULTS_MAX, as_name, say, tell_all, unique, writable

DIFF_MAX = 16 * 1024
LABEL_MAX = 200
MESSAGE_MAX = 500

# Actions whose changes are no files, by the last part of their names.
NO_FILES = frozenset(
    """
    add_host alternatives apk apt apt_key apt_rpm assert async_status at command debconf debug dnf dnf5
    dpkg_selections expect fail fetch filesystem firewalld flatpak gather_facts gem getent group group_by homebrew
    hostname import_playbook import_role import_tasks include include_role include_tasks include_vars ip6tables
    iptables locale_gen lvg lvol meta modprobe mount npm openrc package package_facts pacman parted pause ping pip
    pipx raw reboot rhsm_release rpm_key script seboolean selinux_permissive service service_facts set_fact set_stats
    setup shell slurp snap stat swupd systemd systemd_service sysvinit timezone ufw uri user validate_argument_spec
    wait_for wait_for_connection yum yum4 zypper
    """.split()
)
# Actions that look at nothing that Git could tell.
IDLE = frozenset("add_host assert debug gather_facts group_by include_vars meta pause set_fact set_stats setup".split())


def read_document(path):
    """What the callback has written; None if it has not."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_servers(document, base_path):
    """The servers of a document, by name, each with what differs on it and why it was not checked to its end."""
    # Ansible's own localhost, on which a play prepares the check, is no server; one of the inventory is.
    hosts = document.get("hosts") or {name: name == "localhost" for name in document["stats"]}
    names = sorted(name for name, is_implicit in hosts.items() if not is_implicit)
    servers = {name: Server(name, base_path) for name in names}
    plays = [[(task["task"], task["hosts"]) for task in play["tasks"]] for play in document["plays"]]
    for tasks in plays:
        for task, hosts in tasks:
            for name in servers.keys() & hosts.keys():
                servers[name].add(task, hosts[name])
    for name, server in servers.items():
        server.conclude(document["stats"].get(name))

    for tasks in plays:
        hold_back(servers, tasks, False)
    if document.get("cut_short", True):
        hold_back(servers, [entry for tasks in plays for entry in tasks], True)
    return list(servers.values())


def hold_back(servers, tasks, cut_short):
    """Marks the servers that have nothing after the last failure: they may have been stopped by it.

    In a run that went to its end they were, where the failed task stops others; in one that was cut short later plays
    are missing for them.
    """
    last_failure = max((i for i, (_, hosts) in enumerate(tasks) if any(map(failures_of, hosts.values()))), default=-1)
    last_result = {name: i for i, (_, hosts) in enumerate(tasks) for name in hosts}
    for name in servers.keys() & last_result.keys():
        stopped_there = last_result[name] == last_failure and (
            cut_short or tasks[last_failure][0].get("stops_others", True)
        )
        if (last_result[name] < last_failure or stopped_there) and not servers[name].faults:
            servers[name].faults.append("it was stopped early, because another server failed")


def failures_of(result):
    """Those of a task's items that failed or did not reach the server; without items the result itself."""
    return [leaf for leaf in items_of(result) + [result] if leaf.get("failed") or leaf.get("unreachable")]


def items_of(result):
    results = result.get("results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


class Server:
    def __init__(self, name, base_path):
        self.name = name
        self.base = one_slash(base_path.replace("{host}", name)).rstrip("/") + "/"
        # Why it was not checked to its end.
        self.faults = []
        # By file, what differs in it.
        self.files = {}
        self.remarks = []
        self.looked_at = False

    def add(self, task, result):
        """Takes what one task said."""
        action = str(result.get("action", "")).rsplit(".", 1)[-1]
        title = str(task.get("name") or action)
        for leaf in failures_of(result)[:FAULTS_MAX]:
            kind = "unreachable" if leaf.get("unreachable") else "failed"
            places = ("msg", "reason", "censored", "exception")
            message = next((leaf[name] for name in places if leaf.get(name)), "no message")
            self.faults.append(f"{kind} at '{title}': {str(message).strip()[:MESSAGE_MAX]}")

        items = items_of(result)
        # A failed loop counts as unchanged though items have changed, and a module may have `results` of its own.
        if not items or (result.get("changed") and not any(item.get("changed") for item in items)):
            self.add_leaf(task, action, title, result)
        else:
            for position, item in enumerate(items, 1):
                self.add_leaf(task, action, title, item, position)

    def add_leaf(self, task, action, title, leaf, position=None):
        # Also what has not changed has a diff and a path: only `changed` tells.
        if leaf.get("skipped"):
            if action not in NO_FILES and "check mode" in str(leaf.get("msg")):
                self.remarks.append(f"not looked at, its module has no check mode: {title}")
            return
        self.looked_at = self.looked_at or action not in IDLE
        if not leaf.get("changed"):
            return
        if action in NO_FILES:
            self.remarks.append(f"differs too, but is no file: {title} ({action})")
            return
        if task.get("for_real"):
            self.remarks.append(f"CHANGED FOR REAL, since the task has check_mode: false: {title}")
        self.files.setdefault(self.file_name(leaf, title, position), []).append(diff_of(leaf))

    def file_name(self, leaf, title, position):
        path = path_of(leaf)
        if path is None and leaf.get("censored"):
            return as_name(f"(hidden by no_log) {title[:LABEL_MAX]}".strip())
        if path is None:
            return as_name(f"(path unknown) {title[:LABEL_MAX]}{label_of(leaf, position)}".strip())
        path = one_slash(path).rstrip("/") or "/"
        return as_name(path[len(self.base) :] if path.startswith(self.base) else path)

    def conclude(self, counts):
        """Takes Ansible's own sums for it, if there are any: what they count must not be missing from the faults."""
        if counts is None:
            self.faults.append("the run ended before it was checked")
            return
        for kind in ("unreachable", "failures", "ignored", "rescued"):
            if counts.get(kind) and not self.faults:
                self.faults.append(f"ansible-playbook counts {counts[kind]} {kind}")
        if not self.looked_at and not self.faults:
            self.faults.append("nothing was looked at, every task was skipped")

    def tell(self, show_diff):
        """Tells a person what was found."""
        names = sorted(self.files)
        if self.faults:
            say(f"{self.name}: CHECK FAILED, it was not checked to its end")
            tell_all(self.faults)
        elif names:
            say(f"{self.name}: OUT_OF_SYNC, drifted: {len(names)}")
        else:
            say(f"{self.name}: SYNCED")
        if self.faults and names:
            say("  what differed until then:")
        for name in names:
            say(f"  {name}")
            for line in self.diff(name).splitlines() if show_diff else []:
                say(f"    {line}")
        tell_all(self.remarks)

    def diff(self, name):
        """What differs in a file, as text, with at most DIFF_MAX bytes and a line more."""
        text = writable("".join(unique(self.files[name])))
        if len(text.encode()) <= DIFF_MAX:
            return text
        return text.encode()[:DIFF_MAX].decode("utf-8", "ignore") + f"\n… (cut at {DIFF_MAX // 1024} KiB)\n"

    def report(self, began, diffs):
        """A snapshot, or a failed check if it was not checked to its end."""
        if self.faults:
            return failed_check(self.name, began, "; ".join(unique(self.faults)))
        files = []
        for name in sorted(self.files):
            diff = self.diff(name)
            files.append({"name": name, "diff": diff} if diff and diffs.take(diff) else {"name": name})
        return snapshot(self.name, began, files)


def label_of(leaf, position):
    if position is None:
        return ""
    label = leaf.get("_ansible_item_label", leaf.get(leaf.get("ansible_loop_var", "item")))
    return f": {label[:LABEL_MAX]}" if isinstance(label, str) else f": item {position}"
