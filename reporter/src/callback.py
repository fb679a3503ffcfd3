"""An Ansible callback that writes the results of all tasks to the file that GITOPS_RESULT names.

Not to standard output: from ansible-core 2.22 on, Ansible replaces secrets in all that it displays, and the results
hold the contents of files, which are no business of a log.
"""

import json
import os

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json
type: stdout
short_description: Writes the results as one JSON document
description: Writes the results of all tasks, whether the run was cut short, and what it was limited to.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.playbooks_left = len(context.CLIARGS["args"])
        self.plays = []
        # By play, the servers for which it was not begun yet; None: for none of them.
        self.not_begun = {}
        # The servers of all plays, and those of them that are in no inventory: Ansible's own localhost.
        self.hosts = {}

    def v2_playbook_on_start(self, playbook):
        self.playbooks_left -= 1
        for play in playbook.get_plays():
            self.not_begun[play._uuid] = None
            self.hosts.update((host.get_name(), host.implicit) for host in hosts_of(play))

    def v2_playbook_on_play_start(self, play):
        self.play = play
        self.tasks = {}
        self.plays.append({"play": {"name": play.get_name()}, "tasks": []})
        # With `serial` a play begins once for each batch of its servers.
        names = play.get_variable_manager().get_vars(play=play)
        left = self.not_begun[play._uuid]
        left = set(names["ansible_play_hosts_all"]) if left is None else left
        self.not_begun[play._uuid] = left - set(names["ansible_play_batch"])

    def v2_playbook_on_task_start(self, task, is_conditional):
        stops_others = task.any_errors_fatal or task.run_once or self.play.max_fail_percentage is not None
        self.tasks[task._uuid] = {
            "task": {
                "name": task.get_name(),
                "stops_others": bool(stops_others),
                "for_real": task.check_mode is False,
            },
            "hosts": {},
        }
        self.plays[-1]["tasks"].append(self.tasks[task._uuid])

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result, **kwargs):
        task = result._task
        if task._uuid not in self.tasks:
            self.v2_playbook_on_task_start(task, False)
        self.hosts[result._host.get_name()] = result._host.implicit
        # Ansible takes `failed` and `skipped` out before it tells a callback.
        self.tasks[task._uuid]["hosts"][result._host.get_name()] = dict(result._result, action=task.action, **kwargs)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.v2_runner_on_ok(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self.v2_runner_on_ok(result, unreachable=True)

    def v2_runner_on_skipped(self, result):
        self.v2_runner_on_ok(result, skipped=True)

    def v2_playbook_on_stats(self, stats):
        # No later play begins for a server that has failed: that is its own fault, not the run's.
        lost = set(stats.failures) | set(stats.dark)
        cut_short = self.playbooks_left > 0 or any(left is None or left - lost for left in self.not_begun.values())
        document = {
            "plays": self.plays,
            "stats": {host: stats.summarize(host) for host in stats.processed},
            "cut_short": cut_short,
            "hosts": {name: bool(implicit) for name, implicit in self.hosts.items()},
            "selection": selection(),
        }
        path = os.environ["GITOPS_RESULT"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            # A name that is not UTF-8 has halves of surrogate pairs, which only the escapes of JSON can keep.
            json.dump(plain(document), file, default=str)


def hosts_of(play):
    """The servers that a play is for, as far as that is known before it begins."""
    try:
        return play.get_variable_manager()._inventory.get_hosts(play.hosts)
    except Exception:  # the pattern may need variables that are set later
        return []


def selection():
    """What the run was limited to, by whatever way: flags, variables or ansible.cfg."""
    tags = [tag for tag in context.CLIARGS.get("tags") or [] if tag != "all"]
    chosen = {
        "--tags": ",".join(tags),
        "--skip-tags": ",".join(context.CLIARGS.get("skip_tags") or []),
        "--start-at-task": context.CLIARGS.get("start_at_task"),
    }
    return {option: str(value) for option, value in chosen.items() if value}


def plain(value):
    """A value with texts as keys: YAML also has dates and numbers there."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
