"""The parts of a result of Ansible: its items, and the failed ones with their reasons."""

from __future__ import annotations

from typing import Any

from modules import IMPERATIVE
from text import writable

Result = dict[str, Any]

LABEL_MAX = 200
MESSAGE_MAX = 500


def action_of(result: Result) -> str:
    """The last part of the module's name."""
    return str(result.get("action", "")).rsplit(".", 1)[-1]


def items_of(result: Result) -> list[Result]:
    results = result.get("results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


def leaves_of(result: Result) -> list[tuple[int | None, Result]]:
    """The items of a loop, each with its position from 1; without a loop the result itself."""
    items = items_of(result)
    # A failed loop counts as unchanged though items have changed, and a module may have `results` of its own.
    if not items or (result.get("changed") and not any(item.get("changed") for item in items)):
        return [(None, result)]
    return list(enumerate(items, 1))


def failures_of(result: Result) -> list[str]:
    """A text for each failed item of the task; without items, for the result itself."""
    items = [(item, label_of(item, position)) for position, item in enumerate(items_of(result), 1)]
    failed = [(item, label) for item, label in items if item.get("failed") or item.get("unreachable")]
    if not failed and (result.get("failed") or result.get("unreachable")):
        failed = [(result, "")]
    return [
        f"{'unreachable' if leaf.get('unreachable') else 'failed'}{label}: {message_of(leaf)}" for leaf, label in failed
    ]


def message_of(leaf: Result) -> str:
    """Ansible's reason, and the last line of output of a command or of a module that crashed."""
    places = ("reason", "msg", "censored", "exception")
    message = str(next((leaf[name] for name in places if leaf.get(name)), "no message")).strip()
    for name in ("module_stderr", "module_stdout", "stderr", "stdout"):
        lines = str(leaf.get(name) or "").strip().splitlines()
        if lines and lines[-1] not in message:
            message += f" ({lines[-1].strip()})"
            break
    return writable(message)[:MESSAGE_MAX]


def suppressed_failure(leaf: Result, action: str) -> str | None:
    """The error of a module that could not check its object, if `failed_when` hides the failure; else None."""
    if leaf.get("failed_when_result") is not False or leaf.get("changed") or action in IMPERATIVE:
        return None
    # From ansible-core 2.19 on there is a property for it; before, only the message shows it.
    if "failed_when_suppressed_exception" in leaf or leaf.get("rc") == 257 or leaf.get("state") == "absent":
        return message_of(leaf)
    return None


def label_of(leaf: Result, position: int | None) -> str:
    """The label of a loop's item, for a message."""
    if position is None:
        return ""
    label = leaf.get("_ansible_item_label", leaf.get(leaf.get("ansible_loop_var", "item")))
    return f" ({label[:LABEL_MAX]})" if isinstance(label, str) and label else f" (item {position})"
