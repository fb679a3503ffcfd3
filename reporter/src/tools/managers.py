"""Presets for the configuration managers that write a log: Puppet and CFEngine."""

from __future__ import annotations

import re

from outcome import CheckFailed, Difference, Outcome, flags_of, unknown

FAULTS_MAX = 5


def refuse_puppet(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "el")
    # `puppet agent --test` implies it.
    coded = {"--detailed-exitcodes"} | ({"-t", "--test"} if "agent" in arguments else set())
    if "--noop" not in flags:
        return "the command lacks --noop: without it, puppet changes the server"
    if not flags & coded:
        return "the command lacks --detailed-exitcodes: without it, a failed resource has exit code 0"
    if "--summarize" not in flags:
        return "the command lacks --summarize: the log may leave out resources, and the summary counts all"
    return None


def puppet(outcome: Outcome) -> list[Difference]:
    """The log names the resources that differ; the summary after it counts them."""
    if outcome.code == 2:
        raise CheckFailed("exit code 2: something was changed despite --noop")
    outcome.expect(0)
    named: dict[str, Difference] = {}
    counts: dict[str, int] = {}
    has_run = False
    section = ""
    for line in outcome.messages():
        event = re.match(r"\w+: (/.*)/\w+: current_value ", line)
        if event:
            named[event.group(1)] = resource(event.group(1))
        elif line.startswith("Notice: Applied catalog in "):
            has_run = True
        elif re.match(r"[A-Z]\w+:$", line):
            section = line
        elif section == "Resources:" and (count := re.match(r" +([A-Z][\w ]+): (\d+)$", line)):
            counts[count.group(1)] = int(count.group(2))
    if not has_run or "Total" not in counts:
        raise CheckFailed("the output has no summary of a run")
    for name in ("Failed", "Failed to restart", "Skipped"):
        if counts.get(name):
            raise CheckFailed(f"the summary counts {counts[name]} resources as {name.lower()}")
    differences = [difference for path, difference in named.items() if "/Notify[" not in path]
    # A resource may have a log level that is not shown.
    hidden = counts.get("Out of sync", 0) - len(named)
    if hidden > 0:
        differences.append(Difference(f"resources that the log does not name: {hidden}", "other"))
    return differences


def resource(path: str) -> Difference:
    """The resource of an event: /Stage[main]/CLASS/TYPE[TITLE]."""
    if file := re.search(r"/File\[(/.*)\]$", path):
        return Difference(file.group(1))
    match = re.search(r"/([A-Z][\w:]*\[.*\])$", re.sub(r"^/Stage\[[^]]*\]/(?:[A-Z][\w:]*/)?", "/", path))
    return Difference(match.group(1) if match else path, "other")


def refuse_cf_agent(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "BbwDxfgNTC")
    if not flags & {"-n", "--dry-run"}:
        return "the command lacks --dry-run: without it, cf-agent changes the server"
    if not flags & {"-K", "--no-lock"}:
        return "the command lacks --no-lock: without it, promises checked within the last minute are skipped"
    return None


# Warnings that are not about the state of the server.
REMARKS = (
    "Using the default value ",
    "Warnings encountered when actuating ",
    "Need to repair reports promise: ",
    "Method '",
)


def cf_agent(outcome: Outcome) -> list[Difference]:
    """A warning for everything that the run would change. The exit code is 0 in failures, too."""
    differences: list[Difference] = []
    faults: list[str] = []
    for line in [*outcome.messages(), *outcome.messages("stderr")]:
        # --timestamp puts the time in front.
        match = re.match(r" *(?:\d{4}-\S+ +)?(error|warning|info|notice|verbose|debug|R): (.*)$", line)
        level, text = match.groups() if match else ("", line)
        if level == "error" or (not match and ": error: " in line):
            faults.append(text)
        elif level == "warning":
            if text.startswith(("Should ", "Would ", "Need to ")) and not text.startswith(REMARKS):
                differences.append(promise(text))
            elif not text.startswith(REMARKS):
                raise unknown(line)
        elif faults and line.startswith("       "):
            # The rest of a message.
            continue
        elif not match:
            raise unknown(line)
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0)
    return differences


def promise(text: str) -> Difference:
    """The object of a warning: the file into which a line would go, or the first path in quotes."""
    into = re.search(r" into '(/.*)' (?:after|before) locator$", text)
    first = re.match(r"Should [^']*'(/.*?)'(?=$|[, ])", text)
    match = into or first
    if match:
        return Difference(match.group(1))
    script = re.match(r"Would execute script '(.*)'$", text)
    return Difference(f"command {script.group(1)}" if script else text, "other")
