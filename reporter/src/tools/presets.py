"""The presets: the required options of each tool's command, and a reader of the differences in its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import documents
import listings
import managers
from outcome import Difference, Outcome, limited, program_of, words_of


@dataclass(frozen=True)
class Preset:
    # Reads the differences; raises CheckFailed.
    read: Callable[[Outcome], Iterable[Difference]]
    # The programs that it is for. Without any it is for all, and `refuse` is given the whole command.
    programs: tuple[str, ...] = ()
    # The fault of the program's arguments, or None.
    refuse: Callable[[list[str]], str | None] = lambda arguments: None
    # True if the command reads a manifest from standard input.
    reads_manifest: Callable[[list[str]], bool] = lambda command: False
    # The streams that must be complete.
    streams: tuple[str, ...] = ("stdout",)


def by_exit_code(outcome: Outcome) -> list[Difference]:
    outcome.expect(0, 1)
    # Without the arguments, which may hold secrets.
    return [Difference(f"exit code 1 of {outcome.program}", "other")] if outcome.code else []


# Programs whose exit code 0 is not always in sync or whose 1 is not drift, and the presets that read them.
OTHER_CODES = {
    "aide": "aide",
    "cf-agent": "cf-agent",
    "debsums": "debsums",
    "puppet": "puppet",
    "rsync": "rsync",
    "salt-call": "salt",
    "terraform": "terraform",
    "tofu": "tofu",
}


def refuse_exit_code(command: list[str]) -> str | None:
    words = {program_of(command)}.union(*map(words_of, command))
    for program, preset in OTHER_CODES.items():
        if program in words:
            return f"the exit codes of {program} mean something else; use --preset {preset}"
    if "etckeeper" in words:
        return f"etckeeper has exit code 0 for drift; {listings.INSTEAD_OF_UNCLEAN}"
    if "git" in words and not {"--exit-code", "--quiet"} & words:
        return "the exit code of git shows differences only with --exit-code or --quiet; add one, or use --preset git"
    return None


def by_lines(outcome: Outcome) -> list[Difference]:
    outcome.expect(0)
    return limited(Difference(line) for line in outcome.lines() if line.strip())


BOTH = ("stdout", "stderr")
# In the order in which they are documented.
PRESETS = {
    "tofu": Preset(documents.terraform, ("tofu",), documents.refuse_terraform),
    "terraform": Preset(documents.terraform, ("terraform",), documents.refuse_terraform),
    "kubectl-diff": Preset(
        listings.kubectl_diff, ("kubectl",), listings.refuse_kubectl_diff, listings.reads_standard_input
    ),
    "git": Preset(listings.git, ("git", "etckeeper"), listings.refuse_git),
    "rsync": Preset(listings.rsync, ("rsync",), listings.refuse_rsync),
    "debsums": Preset(listings.debsums, ("debsums",), listings.refuse_debsums, streams=BOTH),
    "aide": Preset(documents.aide, ("aide",), documents.refuse_aide),
    "puppet": Preset(managers.puppet, ("puppet",), managers.refuse_puppet),
    "salt": Preset(documents.salt, ("salt-call",), documents.refuse_salt),
    "cf-agent": Preset(managers.cf_agent, ("cf-agent",), managers.refuse_cf_agent, streams=BOTH),
    "lines": Preset(by_lines),
    "exit-code": Preset(by_exit_code, refuse=refuse_exit_code, streams=()),
}


def preset_for(command: list[str]) -> str | None:
    """The preset that is for the program of a command, or None."""
    program = program_of(command)
    return next((name for name, preset in PRESETS.items() if program in preset.programs), None)
