"""Presets for the tools that print JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from outcome import CheckFailed, Difference, Outcome, agreed, flags_of, shown, unknown, words_of
from text import say

FAULTS_MAX = 5


def refuse_terraform(arguments: list[str]) -> str | None:
    if "plan" not in arguments:
        return "the preset reads a plan: tofu plan -json -detailed-exitcode"
    missing = [option for option in ("-json", "-detailed-exitcode") if not {option, f"-{option}"} & set(arguments)]
    if missing:
        return f"the command lacks {' and '.join(missing)}: the JSON has the names, and must agree with the exit code"
    return None


def terraform(outcome: Outcome) -> list[Difference]:
    """A stream of messages, one JSON object a line: developer.hashicorp.com/terraform/internals/machine-readable-ui."""
    changes: list[Difference] = []
    refreshed: list[Difference] = []
    faults: list[str] = []
    has_plan = False
    for line in outcome.lines():
        # Wrappers and providers print other lines between the messages.
        if not line.startswith("{"):
            continue
        message = message_in(line)
        kind = message.get("type")
        try:
            if kind == "version" and str(message["ui"]).split(".")[0] != "1":
                raise CheckFailed(f"version {message['ui']} of the JSON messages is unknown")
            elif kind == "diagnostic" and message.get("@level") == "error":
                diagnostic = message["diagnostic"]
                faults.append(f"{diagnostic['summary']}: {diagnostic.get('detail', '')}")
            elif kind == "planned_change" and message["change"]["action"] != "noop":
                changes.append(Difference(str(message["change"]["resource"]["addr"]), "other"))
            elif kind == "resource_drift":
                refreshed.append(Difference(str(message["change"]["resource"]["addr"]), "other"))
            elif kind == "outputs":
                names = [name for name, output in message["outputs"].items() if output.get("action", "noop") != "noop"]
                changes += [Difference(f"output.{name}", "other") for name in names]
            elif kind == "change_summary":
                has_plan = message["changes"]["operation"] == "plan"
        except (KeyError, TypeError, AttributeError):
            raise unknown(line) from None
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0, 2)
    if not has_plan:
        raise CheckFailed("the output has no summary of a plan")
    if {"-refresh-only", "--refresh-only"} & {part for word in outcome.command for part in words_of(word)}:
        changes += refreshed
    for difference in refreshed:
        if difference not in changes:
            say(f"  changed outside the configuration, and not reverted by the plan: {difference.name}")
    return agreed(outcome, 2, changes)


def message_in(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise CheckFailed(f"a message is not JSON: {shown(line)}") from None
    assert isinstance(message, dict)
    return message


def refuse_aide(arguments: list[str]) -> str | None:
    if flags_of(arguments, "ABLWclr") & {"-C", "--check", "--compare"}:
        return None
    return "the command lacks --check: without it, or with --update, the next check omits these differences"


SECTIONS = {"Added entries:": 1, "Removed entries:": 2, "Changed entries:": 4}
KEYS = {"added": 1, "removed": 2, "changed": 4}


def aide(outcome: Outcome) -> list[Difference]:
    """The exit code is the sum of 1 for added, 2 for removed, and 4 for changed entries; the report must agree."""
    outcome.expect(*range(8))
    with open(outcome.path("stdout"), "rb") as file:
        is_json = file.read(1) == b"{"
    found = 0
    differences: list[Difference] = []
    for bit, name in aide_document(outcome) if is_json else aide_text(outcome):
        found |= bit
        differences.append(Difference(name))
    if found != outcome.code:
        raise CheckFailed(
            f"exit code {outcome.code}, but the entries of the report amount to exit code {found}; "
            "set report_grouped=yes and at least report_level=list_entries"
        )
    return differences


def aide_document(outcome: Outcome) -> Iterable[tuple[int, str]]:
    document = outcome.document()
    for key, bit in KEYS.items():
        entries = document.get(key, {})
        if not isinstance(entries, dict):
            raise CheckFailed(f"{key} in the report is not an object")
        yield from ((bit, name) for name in entries)


def aide_text(outcome: Outcome) -> Iterable[tuple[int, str]]:
    bit = 0
    is_empty = True
    has_verdict = False
    for line in outcome.lines():
        if not line or line.startswith("-----"):
            continue
        is_empty = False
        has_verdict = has_verdict or bool(re.match(r"AIDE .*found (NO )?differences", line))
        if line in SECTIONS:
            bit = SECTIONS[line]
        elif line.endswith(":") and not line.startswith((" ", "\t")) and ": /" not in line:
            bit = 0
        elif bit:
            # The flags have no colon.
            flags, separator, name = line.partition(": ")
            if not separator or not name.startswith("/"):
                raise unknown(line)
            yield bit, name
    # With another report_url, or report_quiet, there may be none.
    if not is_empty and not has_verdict:
        raise CheckFailed("the output is not a report of AIDE")


def refuse_salt(arguments: list[str]) -> str | None:
    if "test=true" not in [argument.lower() for argument in arguments]:
        return "the command lacks test=True: without it, salt-call changes the server"
    outputs = [
        *(following for word, following in zip(arguments, arguments[1:]) if word in ("--out", "--output")),
        *(word.split("=", 1)[1] for word in arguments if word.startswith(("--out=", "--output="))),
    ]
    return None if outputs == ["json"] else "the command lacks --out json"


def salt(outcome: Outcome) -> list[Difference]:
    document = outcome.document()
    if not isinstance(document, dict) or len(document) != 1:
        raise CheckFailed("the document is not the result of one minion")
    (states,) = document.values()
    if isinstance(states, list):
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *map(str, states[:FAULTS_MAX])]))
    if not isinstance(states, dict) or not states:
        raise CheckFailed("the document has no states")
    differences: list[Difference] = []
    faults: list[str] = []
    for key, state in states.items():
        module = key.split("_|-", 1)[0]
        if not isinstance(state, dict) or not isinstance(state.get("name"), str):
            raise CheckFailed(f"the document has a state of an unknown form: {shown(key)}")
        result = state.get("result", False)
        # In test mode some modules say that all is well and name changes all the same.
        if result is None or (result is True and state.get("changes")):
            is_file = module == "file" and state["name"].startswith("/")
            differences.append(
                Difference(state["name"]) if is_file else Difference(f"{module} {state['name']}", "other")
            )
        elif result is not True:
            faults.append(f"{module} {state['name']}: {state.get('comment')}")
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0)
    return differences
