"""Which commands are refused, and how names are written."""

from __future__ import annotations

import json
import os
import shlex
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from outcome import Difference, arguments_of, flags_of
from support import ODD_NAMES, files, others
from text import BLANK, UNSEEN
from tool import NAME_MAX, base_of, fault_of, files_of, judge

ACCEPTED = """
tofu plan -json -detailed-exitcode
terraform -chdir=x plan --json --detailed-exitcode -refresh-only
kubectl diff -f x
kubectl --context a diff -f -
git diff --exit-code --name-only -z
git -C diff status --porcelain -z
git -c core.quotePath=false --git-dir x diff --no-index --exit-code --name-only -z a b
etckeeper vcs -d /etc status --porcelain -z
rsync -anic a b
rsync --dry-run --itemize-changes -e "ssh -q" a b
debsums -ca
debsums --changed
debsums -as
aide --config=x --check
aide -C
aide --compare
puppet apply --noop --detailed-exitcodes --summarize x
puppet agent -t --noop --summarize
salt-call --local --out json state.apply test=True
salt-call --out=json state.apply test=true
cf-agent -Kn
cf-agent --no-lock --dry-run -f x
"""
REFUSED = """
tofu plan -json
tofu plan -detailed-exitcode
tofu apply -json -detailed-exitcode
kubectl get -f x
git diff --exit-code --name-only
git diff --exit-code -z
git diff --name-only -z
git status -z
git status --porcelain
git status --porcelain=v2 -z
git log -z --porcelain
etckeeper unclean
rsync -ai a b
rsync -an a b
rsync -naiq a b
rsync -nai --quiet a b
rsync -nai --out-format=x a b
rsync -nai --info=none a b
rsync -na --no-i -i a b
rsync -a -e "ssh -ni" a b
rsync -ae -ni a b
debsums
debsums -a
debsums -d -c
aide
aide --update
aide --init
aide -c --check
puppet apply --detailed-exitcodes --summarize x
puppet apply --noop --summarize x
puppet apply --test --noop --summarize x
puppet apply --noop --detailed-exitcodes x
salt-call --out json state.apply
salt-call --out json state.apply test=False
salt-call state.apply test=True
salt-call --out yaml state.apply test=True
cf-agent -K
cf-agent -n
cf-agent -f -Kn
"""


@patch.dict(os.environ, {"GITOPS_REPO": "etc"})
class Commands(unittest.TestCase):
    def test_accepted(self) -> None:
        for line in ACCEPTED.strip().split("\n"):
            with self.subTest(line):
                self.assertIsNone(fault_of("", "web-1", shlex.split(line)))

    def test_refused(self) -> None:
        for line in REFUSED.strip().split("\n"):
            with self.subTest(line):
                self.assertIsNotNone(fault_of("", "web-1", shlex.split(line)))

    def test_run_by_another(self) -> None:
        for command in (
            ["sudo", "-u", "root", "rsync", "-ni", "a", "b"],
            ["ssh", "web-1", "rsync -ni 'a b' c"],
            ["sh", "-c", "cd /etc && rsync -ni a b"],
        ):
            self.assertIsNone(fault_of("rsync", "web-1", command))
            self.assertIn("needs git or etckeeper in the command", fault_of("git", "web-1", command) or "")
            self.assertIn("there is no preset for", fault_of("", "web-1", command) or "")
        self.assertIn("lacks --dry-run", fault_of("rsync", "web-1", ["ssh", "-n", "web-1", "rsync -i a b"]) or "")

    def test_exit_code(self) -> None:
        for command in (["git", "diff", "--quiet"], ["diff", "-r", "./rsync", "b"], ["kubectl", "diff"], ["x"]):
            self.assertIsNone(fault_of("exit-code", "web-1", command))
        programs = "tofu terraform rsync debsums aide puppet salt-call cf-agent etckeeper git"
        for program in programs.split():
            for command in (
                [program, "x"],
                [f"/usr/bin/{program}"],
                ["sudo", program],
                ["sh", "-c", f"cd /; {program} x"],
            ):
                self.assertIsNotNone(fault_of("exit-code", "web-1", command), command)

    def test_names(self) -> None:
        for name in ("", " a", "a\n", "a\u200bb", "x" * 254):
            self.assertIn("server's name", fault_of("lines", name, ["x"]) or "")
            with patch.dict(os.environ, {"GITOPS_REPO": name}):
                self.assertIn("repository's name", fault_of("lines", "web-1", ["x"]) or "")
        self.assertIsNone(fault_of("lines", "x" * 253, ["x"]))
        self.assertIn("choose one of tofu, terraform,", fault_of("line", "web-1", ["x"]) or "")


class Streams(unittest.TestCase):
    def test_not_complete(self) -> None:
        """What a preset reads must be complete, and nothing else."""
        for preset, read in {
            "exit-code": "",
            "lines": "stdout",
            "debsums": "stdout stderr",
            "cf-agent": "stdout stderr",
        }.items():
            for stream in ("stdout", "stderr"):
                with TemporaryDirectory() as work:
                    for name in ("stdout", "stderr"):
                        Path(work, name).touch()
                    run = {"code": 0, "faults": {stream: "why"}}
                    Path(work, "outcome.json").write_text(json.dumps(run))
                    fault = f"x: its {stream} is not complete: why" if stream in read else ""
                    self.assertEqual(judge(work, preset, ["x"]), ([], fault), preset)


class Arguments(unittest.TestCase):
    def test_flags(self) -> None:
        self.assertEqual(flags_of(["-ab", "--long=x", "c", "--", "-d"]), {"-a", "-b", "--long"})
        self.assertEqual(flags_of(["-ax", "-e", "-y", "-z"], "ae"), {"-a", "-e", "-z"})

    def test_of_a_text_that_is_no_shell(self) -> None:
        self.assertIsNone(arguments_of(["sh", "-c", "rsync 'a"], ("rsync",)))


class Names(unittest.TestCase):
    def test_odd_names(self) -> None:
        """The server takes every name, and takes none for another."""
        written = files_of(files(*ODD_NAMES), "")
        self.assertEqual(len(written), len(ODD_NAMES))
        for file in written:
            self.assertNotRegex(file["name"], f"{UNSEEN}|^{BLANK}|{BLANK}$|^$")
            file["name"].encode()

    def test_paths(self) -> None:
        with patch.dict(os.environ, {"GITOPS_BASE_PATH": "/srv//{host}/etc"}):
            base = base_of("web-1")
        self.assertEqual(base, "/srv/web-1/etc/")
        names = ["/srv/web-1/etc/a//b/", "/srv/web-1/etcetera", "/", "./", "d/"]
        self.assertEqual(
            [file["name"] for file in files_of(files(*names), base)],
            sorted(["a/b", "/srv/web-1/etcetera", "/", ".", "d"]),
        )
        self.assertEqual(files_of(others("/srv/web-1/etc/a"), base), [{"name": "/srv/web-1/etc/a", "kind": "other"}])
        self.assertEqual(base_of("web-1"), "")

    def test_each_once(self) -> None:
        self.assertEqual(files_of(files("b", "a", "b", "a/"), ""), [{"name": "a"}, {"name": "b"}])

    def test_long_names(self) -> None:
        (file,) = files_of([Difference("x" * 5000)], "")
        self.assertEqual(file["name"], "x" * (NAME_MAX - 1) + "…")
