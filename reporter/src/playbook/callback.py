"""An Ansible callback that writes what a run found to the file that GITOPS_RESULT names, and prints nothing.

Not to standard output: from ansible-core 2.22 on, Ansible replaces secrets in all that it displays, and the results
hold the contents of files, which must not be in a log. Two facts have no event, and are read where Ansible decides
them: whether a server got to the end of its plays, and which files of a copied directory differ.
"""

from __future__ import annotations

import atexit
import json
import os
import posixpath
from typing import Any

from ansible import context
from ansible.executor import task_queue_manager
from ansible.executor.play_iterator import IteratingStates, PlayIterator
from ansible.playbook.handler import Handler
from ansible.plugins.action import ActionBase
from ansible.plugins.action.copy import ActionModule as CopyAction
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

DOCUMENTATION = """
name: gitops_result
type: notification
short_description: Writes the results as one JSON document
description: Writes the results, the servers that did not get to the end of the plays, and the limits of the run.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "gitops_result"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.playbooks_left = len(context.CLIARGS["args"])
        self.plays: list[dict[str, Any]] = []
        # By play, its name and the servers for which it was not begun yet; None: which they are is not known.
        self.not_begun: dict[str, tuple[str, set[str] | None]] = {}
        self.begun: set[str] = set()
        # The servers of all plays, and those of them that are in no inventory: Ansible's own localhost.
        self.hosts: dict[str, bool] = {}
        self.stats: dict[str, dict[str, int]] = {}
        self.questions: list[str] = []
        # By task and server, the results of the items of a loop.
        self.items: dict[tuple[str, str], list[str]] = {}
        progress.begin()
        # Ansible may end with an error before it sends the sums.
        atexit.register(self.write, os.getpid())

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.playbooks_left -= 1
        for play in playbook.get_plays():
            hosts = hosts_of(play)
            self.not_begun[play._uuid] = (play.get_name(), {host.get_name() for host in hosts} or None)
            self.hosts.update((host.get_name(), host.implicit) for host in hosts)

    def v2_playbook_on_vars_prompt(self, varname: str, *args: Any, **kwargs: Any) -> None:
        self.questions.append(varname)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.plays.append({"play": {"name": play.get_name()}, "tasks": [], "questions": self.questions})
        self.questions = []
        # With `serial` a play begins once for each batch of its servers.
        names = play.get_variable_manager().get_vars(play=play)
        if play._uuid not in self.begun:
            self.begun.add(play._uuid)
            self.not_begun[play._uuid] = (play.get_name(), set(names["ansible_play_hosts_all"]))
        name, left = self.not_begun[play._uuid]
        self.not_begun[play._uuid] = (name, (left or set()) - set(names["ansible_play_batch"]))
        self.plays[-1]["hosts"] = list(names["ansible_play_batch"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        progress.told = len(progress.errors)
        self.tasks[task._uuid] = {
            "task": {
                "name": task.get_name(),
                "for_real": task.check_mode is False,
                "handler": isinstance(task, Handler),
                "asks": task.action.rsplit(".", 1)[-1] == "pause" and not {"minutes", "seconds"} & task.args.keys(),
                "writes": "dest" in task.args,
            },
            "hosts": {},
        }
        self.plays[-1]["tasks"].append(self.tasks[task._uuid])

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: Any, **kwargs: Any) -> None:
        task, host = result._task, result._host
        if task._uuid not in self.tasks:
            self.v2_playbook_on_task_start(task, False)
        self.hosts[host.get_name()] = host.implicit
        # Ansible removes `failed` and `skipped` before it calls a callback.
        found = dict(unmasked(result), action=task.action, **kwargs)
        states = self.items.pop((task._uuid, host.get_name()), [])
        items = found.get("results")
        if isinstance(items, list) and len(items) == len(states):
            found["results"] = [dict(item, **{state: True}) for item, state in zip(items, states)]
        hosts = self.tasks[task._uuid]["hosts"]
        # An include fails after it was reported as done, and then has only the reason.
        hosts[host.get_name()] = {**hosts.get(host.get_name(), {}), "msg": None, **found}

    def v2_runner_item_on_ok(self, result: Any, state: str = "ok") -> None:
        self.items.setdefault((result._task._uuid, result._host.get_name()), []).append(state)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self.v2_runner_item_on_ok(result, "failed")

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self.v2_runner_item_on_ok(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_ok(result, unreachable=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self.v2_runner_on_ok(result, skipped=True)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.stats = {host: stats.summarize(host) for host in stats.processed}

    def write(self, process: int) -> None:
        """Writes the document, when Ansible ends; not in a worker, which is a copy of its process."""
        if process != os.getpid():
            return
        document = {
            "plays": self.plays,
            "stats": self.stats,
            "hosts": {name: bool(implicit) for name, implicit in self.hosts.items()},
            "unfinished": self.unfinished(),
            "errors": progress.errors,
            "selection": selection(),
        }
        path = os.environ["GITOPS_RESULT"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            # A name that is not UTF-8 has halves of surrogate pairs, which only the escapes of JSON can keep.
            json.dump(plain(document), file, default=str)

    def unfinished(self) -> dict[str, list[dict[str, str]]]:
        """The reasons why servers did not get to the end of all their plays, by server."""
        found = progress.unfinished()
        for name, left in self.not_begun.values():
            for host in self.hosts if left is None else left:
                found.setdefault(host, []).append({"why": "not begun", "play": name})
        if self.playbooks_left > 0:
            for host in self.hosts:
                found.setdefault(host, []).append({"why": "not begun", "play": "the next playbook"})
        return found


class Progress:
    """The progress of each server in each play."""

    def __init__(self) -> None:
        self.iterators: list[PlayIterator] = []
        # Events of a server beside the results of its tasks.
        self.events: dict[str, list[dict[str, str]]] = {}
        # The errors that Ansible displayed.
        self.errors: list[str] = []
        self.told = 0

    def begin(self) -> None:
        task_queue_manager.PlayIterator = WatchedIterator
        Display.error = watched_error(Display.error)
        ActionBase._execute_module = watched_module(ActionBase._execute_module)
        CopyAction.run = watched_copy(CopyAction.run)
        CopyAction._copy_file = watched_copy_file(CopyAction._copy_file)

    def failed(self, host: str, next_task: str | None) -> None:
        """A server counts as failed: by a task, by an include without a task, or because another server failed."""
        reason = "; ".join(self.errors[self.told :])
        if reason or next_task:
            self.events.setdefault(host, []).append({"why": "failed", "error": reason})

    def unfinished(self) -> dict[str, list[dict[str, str]]]:
        found = {host: list(events) for host, events in self.events.items()}
        for iterator in self.iterators:
            for name in list(iterator.host_states):
                task = iterator.next_task(name)
                if task:
                    found.setdefault(name, []).append({"why": "left", "task": task})
        return found


progress = Progress()


class WatchedIterator(PlayIterator):  # type: ignore[misc]
    """Ansible's own account of how far each server is in a play."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        progress.iterators.append(self)

    def mark_host_failed(self, host: Any) -> None:
        progress.failed(host.name, self.next_task(host.name))
        super().mark_host_failed(host)

    def set_run_state_for_host(self, hostname: str, run_state: Any) -> None:
        """Ansible calls it for `meta: end_host`, `end_batch` and `end_play` alone."""
        task = self.next_task(hostname) if run_state == IteratingStates.COMPLETE else None
        if task:
            progress.events.setdefault(hostname, []).append({"why": "ended", "task": task})
        super().set_run_state_for_host(hostname, run_state)

    def next_task(self, hostname: str) -> str | None:
        """The name of the next task of the playbook for a server; None if there is none left."""
        host = self._variable_manager._inventory.get_host(hostname)
        state = self.get_host_state(host) if host and hostname in self.host_states else None
        while state and state.run_state != IteratingStates.COMPLETE:
            state, task = self._get_next_task_from_state(state, host=host)
            # Implicit ones are no tasks of the playbook: they end a role, or run its handlers.
            if task and not task.implicit:
                return str(task.get_name())
        return None


def watched_error(original: Any) -> Any:
    def error(self: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        # Without the lines of the playbook that Ansible shows.
        progress.errors.append(str(msg).split("\n\nThe offending line")[0].split("\n\nThe error appears")[0].strip())
        return original(self, msg, *args, **kwargs)

    return error


def watched_module(original: Any) -> Any:
    """A module follows links and then names their target; `gitops_path` gets the path of the task."""

    def _execute_module(self: Any, *args: Any, **kwargs: Any) -> Any:
        arguments = kwargs.get("module_args") or self._task.args
        path = next((arguments[name] for name in ("path", "dest") if isinstance(arguments.get(name), str)), None)
        result = original(self, *args, **kwargs)
        if path and result.get("changed"):
            result.setdefault("gitops_path", path)
            getattr(self, "gitops_files", []).append(path)
        return result

    return _execute_module


def watched_copy(original: Any) -> Any:
    """Ansible says only whether something in a copied directory differs; `gitops_files` gets the files."""

    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        changed = self.gitops_files = []
        result = original(self, *args, **kwargs)
        if len(changed) > 1 or (changed and "diff" not in result):
            result["gitops_files"] = list(dict.fromkeys(changed))
        return result

    return run


def watched_copy_file(original: Any) -> Any:
    def _copy_file(self: Any, full: str, relative: str, content: Any, temporary: Any, dest: str, *args: Any) -> Any:
        result = original(self, full, relative, content, temporary, dest, *args)
        if result and result.get("changed"):
            path = posixpath.join(dest, relative) if dest.endswith("/") else dest
            self.gitops_files.append(result.get("dest") or result.get("path") or path)
        return result

    return _copy_file


def unmasked(result: Any) -> dict[str, Any]:
    """A result as the module gave it; that of a task with no_log is censored all the same.

    From ansible-core 2.22 on, callbacks are given results in which each secret that Ansible knows is replaced, however
    short it is, in keys, too: with a vaulted value `changed` a result does not say any more whether something changed.
    """
    found = getattr(result, "_CallbackTaskResult__utr", None)
    if found is None or not hasattr(found, "as_result_dict"):
        return dict(result._result)
    return dict(found.as_result_dict(for_callback=True, censor_callback_result=result.task.no_log or found.no_log))


def hosts_of(play: Any) -> list[Any]:
    """The servers that a play is for, as far as that is known before it begins."""
    try:
        return list(play.get_variable_manager()._inventory.get_hosts(play.hosts))
    except Exception:  # the pattern may need variables that are set later
        return []


def selection() -> dict[str, str]:
    """The limits of the run, from flags, variables or ansible.cfg."""
    tags = [tag for tag in context.CLIARGS.get("tags") or [] if tag != "all"]
    chosen = {
        "--tags": ",".join(tags),
        "--skip-tags": ",".join(context.CLIARGS.get("skip_tags") or []),
        "--start-at-task": context.CLIARGS.get("start_at_task"),
        "--step": context.CLIARGS.get("step"),
    }
    return {option: str(value) for option, value in chosen.items() if value}


def plain(value: Any) -> Any:
    """A value with texts as keys: YAML also has dates and numbers there."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
