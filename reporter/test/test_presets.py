"""What the presets make of outputs that the recordings do not have."""

from __future__ import annotations

import json
import os
import unittest
from contextlib import redirect_stderr
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from presets import PRESETS, preset_for
from support import ODD_NAMES, encoded, files, others, read

GIT_DIFF = "git diff --exit-code --name-only -z"
GIT_STATUS = "git status --porcelain -z"
RSYNC = "rsync -ni a b"
PLAN = "terraform plan -json -detailed-exitcode"
SALT = "salt-call --out json state.apply test=True"


class AnyPreset(unittest.TestCase):
    def test_unknown_exit_codes(self) -> None:
        """No preset takes them for in sync or for drift, whatever the output says."""
        outputs = ["", "a\n", "a\0", "{}", '{"local": {"file_|-a_|-a_|-managed": {"name": "a", "result": true}}}']
        for name in PRESETS:
            for code in (3, 5, 9, 13, 14, 19, 64, 124, 126, 127, 128, 130, 137, 139, 143, 255):
                if name == "aide" and code < 8:
                    continue
                for output in outputs:
                    with self.subTest(name, code=code, output=output):
                        self.assertIsInstance(read(name, f"{name} x", output, code), str)

    def test_output_that_cannot_be_read(self) -> None:
        """With exit code 0 no preset that reads the output is silent about it."""
        for name in PRESETS.keys() - {"lines", "exit-code"}:
            for output in ("{\n", "{", b"\xff\xfe\0\1", "Segmentation fault\n"):
                with self.subTest(name, output=output):
                    self.assertIsInstance(read(name, f"{name} x", output), str)

    def test_more_names_than_memory_holds(self) -> None:
        with patch("outcome.NAMES_MAX", 3):
            for preset, command, line, code in (
                ("lines", "x", "{}\n", 0),
                ("rsync", RSYNC, ">f+++++++++ {}\n", 0),
                ("git", GIT_DIFF, "{}\0", 1),
                ("git", GIT_STATUS, "?? {}\0", 0),
                ("debsums", "debsums -ca", "/{}\n", 2),
            ):
                for count, expected in ((3, list), (4, str)):
                    output = "".join(line.format(number) for number in range(count))
                    self.assertIsInstance(read(preset, command, output, code), expected, command)

    def test_long_lines(self) -> None:
        self.assertIn("a line of more than 1024 KiB", read("lines", "x", "a" * (1024 * 1024 + 1)))


class Lines(unittest.TestCase):
    def test_names(self) -> None:
        self.assertEqual(read("lines", "x", "a b\n\n  \nü\n"), files("a b", "ü"))
        self.assertEqual(read("lines", "x", b"a\xff\n"), files("a\udcff"))
        self.assertEqual(read("lines", "x"), [])
        self.assertEqual(read("lines", "x", "a\n", 1), "exit code 1")


class ExitCode(unittest.TestCase):
    def test_codes(self) -> None:
        self.assertEqual(read("exit-code", "/usr/bin/diff --password=x a b", "huge", 0), [])
        self.assertEqual(read("exit-code", "/usr/bin/diff --password=x a b", "huge", 1), others("exit code 1 of diff"))
        self.assertEqual(read("exit-code", "diff a b", "", 2), "exit code 2")


class Git(unittest.TestCase):
    def test_odd_names(self) -> None:
        for name in ODD_NAMES:
            with self.subTest(name):
                self.assertEqual(read("git", GIT_DIFF, f"{name}\0", 1), files(name))
                self.assertEqual(read("git", GIT_STATUS, f" M {name}\0"), files(name))
        self.assertEqual(read("git", GIT_DIFF, "\0".join([*ODD_NAMES, ""]), 1), files(*ODD_NAMES))

    def test_code_and_names_disagree(self) -> None:
        self.assertIn("exit code 0, but the output names", read("git", GIT_DIFF, "a\0"))
        self.assertIn("exit code 1, but the output names no difference", read("git", GIT_DIFF, "", 1))

    def test_cut_short(self) -> None:
        self.assertIn("ends without NUL", read("git", GIT_DIFF, "a\0b", 1))
        self.assertIn("ends within a rename", read("git", GIT_STATUS, "R  a\0"))

    def test_status(self) -> None:
        self.assertEqual(read("git", GIT_STATUS, "R  new\0old\0 D gone\0?? x\0"), files("new", "old", "gone", "x"))
        self.assertEqual(read("git", GIT_STATUS, "C  copy\0origin\0"), files("copy"))
        self.assertEqual(read("git", GIT_STATUS, "## main\0"), [])
        self.assertIn("unknown form", read("git", GIT_STATUS, "1 .M N... a\0"))
        self.assertIn("unknown form", read("git", GIT_STATUS, "a.conf\0"))


class Rsync(unittest.TestCase):
    def test_odd_names(self) -> None:
        for name in ODD_NAMES:
            with self.subTest(name):
                self.assertEqual(read("rsync", RSYNC, f">fc.t...... {escaped_by_rsync(name)}\n"), files(name))
                self.assertEqual(read("rsync", RSYNC, f"*deleting   {escaped_by_rsync(name)}\n"), files(name))

    def test_lines(self) -> None:
        for line, name in {
            "cL+++++++++ l -> to": "l",
            "hf+++++++++ l => a": "l",
            "<f..t...... a": "a",
            ".f...p..... a": "a",
            ".d..t...... ./": "./",
            ".f........x a": "a",
            ">f.st....... a": None,
            "cannot delete non-empty directory: a": None,
            "skipping directory a": None,
            "deleting a": None,
        }.items():
            with self.subTest(line):
                found = read("rsync", RSYNC, line + "\n")
                self.assertEqual(found, files(name)) if name else self.assertIn("unknown form", found)

    def test_empty_source(self) -> None:
        with TemporaryDirectory() as directory:
            self.assertEqual(read("rsync", f"rsync -nir {directory} /srv"), f"the source is empty: {directory}")
            os.mkdir(f"{directory}/a")
            self.assertEqual(read("rsync", f"rsync -nir {directory} /srv"), [])


def escaped_by_rsync(name: str) -> str:
    name = name.replace("\\#", "\\#134#")
    parts = (c if c.isprintable() or c == "\t" else "".join(f"\\#{byte:03o}" for byte in encoded(c)) for c in name)
    return "".join(parts)


class Kubectl(unittest.TestCase):
    HEADER = "diff -u -N /tmp/LIVE-1/apps.v1.Deployment.default.web /tmp/MERGED-2/apps.v1.Deployment.default.web\n"
    BODY = "--- /tmp/LIVE-1/x\n+++ /tmp/MERGED-2/x\n@@ -1 +1 @@\n-a\n+diff b c\n \n\\ No newline at end of file\n"

    def test_objects(self) -> None:
        self.assertEqual(
            read("kubectl-diff", "kubectl diff", self.HEADER + self.BODY, 1), others("apps.v1.Deployment.default.web")
        )
        # diff puts names with odd characters in quotes, and an external diff may color lines.
        for header in (
            "diff -u -N '/a b/LIVE-1/v1.X..a:b' '/a b/MERGED-2/v1.X..a:b'",
            'diff -u -N "/a b/LIVE-1/v1.X..a:b" "/a b/MERGED-2/v1.X..a:b"',
            "\x1b[1mdiff -u -N /tmp/LIVE-1/v1.X..a:b /tmp/MERGED-2/v1.X..a:b\x1b[0m",
            "Only in /tmp/MERGED-2: v1.X..a:b",
        ):
            with self.subTest(header):
                self.assertEqual(read("kubectl-diff", "kubectl diff", header + "\n", 1), others("v1.X..a:b"))

    def test_code_and_names_disagree(self) -> None:
        self.assertIn("names no difference", read("kubectl-diff", "kubectl diff", "", 1))
        self.assertIn("exit code 0, but", read("kubectl-diff", "kubectl diff", self.HEADER))

    def test_empty_file(self) -> None:
        with TemporaryDirectory() as directory:
            for name, text in (("empty", "---\n# x\n"), ("full", "a: 1\n")):
                with open(f"{directory}/{name}", "w") as file:
                    file.write(text)
            for form in (
                "-f {}",
                "-f{}",
                "-f={}",
                "-Rf {}",
                "--filename={}",
                "--filename {}",
                "-f full,{}",
                "--filename=full,{}",
            ):
                command = f"kubectl diff {form.format(f'{directory}/empty')}"
                self.assertEqual(read("kubectl-diff", command), f"the file has no object: {directory}/empty", form)
                self.assertEqual(read("kubectl-diff", command.replace("empty", "full")), [])

    def test_another_diff(self) -> None:
        for line in ("Files a and b differ", "error: x", "diff a b", "( metadata.generation )"):
            self.assertIn("unknown form", read("kubectl-diff", "kubectl diff", self.HEADER + line, 1), line)


class Debsums(unittest.TestCase):
    def test_names(self) -> None:
        for name in ("/a (from b package)", "/a b", "/ü", "/a' b"):
            missing = f"debsums: missing file {name} (from p package)\n"
            changed = f"debsums: changed file {name} (observed:0 expected:1) (from p:amd64 package)\n"
            self.assertEqual(read("debsums", "debsums -c", "", 2, missing), files(name))
            self.assertEqual(read("debsums", "debsums -c", "", 2, changed), files(name))
            self.assertEqual(read("debsums", "debsums -c", f"{name}\n", 2), files(name))

    def test_conffiles(self) -> None:
        for options, hint in {"-c": True, "-ca": False, "-ce": False, "-c --all": False, "-c --config": False}.items():
            with redirect_stderr(StringIO()) as log:
                self.assertEqual(read("debsums", f"debsums {options}"), [])
            self.assertEqual("configuration files are not checked" in log.getvalue(), hint, options)

    def test_what_is_not_checked(self) -> None:
        for line in ("debsums: no md5sums for p", "debsums: can't open p file /a (Permission denied)"):
            self.assertEqual(read("debsums", "debsums -c", "", 0, line), line)
            self.assertEqual(read("debsums", "debsums -c", "/a\n", 2, line), line)

    def test_code_and_names_disagree(self) -> None:
        self.assertIn("names no difference", read("debsums", "debsums -c", "", 2))
        self.assertIn("exit code 0, but", read("debsums", "debsums -c", "/a\n"))


class Terraform(unittest.TestCase):
    VERSION = {"type": "version", "ui": "1.2"}
    SUMMARY = {"type": "change_summary", "changes": {"operation": "plan"}}

    def plan(self, *messages: dict[str, Any], code: int = 2, command: str = PLAN) -> Any:
        return read("terraform", command, "".join(json.dumps(message) + "\n" for message in messages), code)

    def change(self, action: str, kind: str = "planned_change", address: str = 'a.b["x y"]') -> dict[str, Any]:
        return {"type": kind, "change": {"resource": {"addr": address}, "action": action}}

    def test_actions(self) -> None:
        for action in ("create", "update", "replace", "delete", "move", "import", "remove", "read", "another"):
            with self.subTest(action):
                self.assertEqual(self.plan(self.VERSION, self.change(action), self.SUMMARY), others('a.b["x y"]'))
                self.assertIn("exit code 0, but", self.plan(self.VERSION, self.change(action), self.SUMMARY, code=0))
        self.assertEqual(self.plan(self.VERSION, self.change("noop"), self.SUMMARY, code=0), [])

    def test_code_without_changes(self) -> None:
        self.assertIn("names no difference", self.plan(self.VERSION, self.SUMMARY))

    def test_plan_that_does_not_end(self) -> None:
        for code in (0, 2):
            self.assertIn("no summary of a plan", self.plan(self.VERSION, self.change("update"), code=code))
        applied = {"type": "change_summary", "changes": {"operation": "apply"}}
        self.assertIn("no summary of a plan", self.plan(self.VERSION, applied, code=0))

    def test_drift(self) -> None:
        """What others have changed counts if the plan undoes it, or if the plan is of -refresh-only."""
        drift = self.change("update", "resource_drift")
        self.assertEqual(self.plan(self.VERSION, drift, self.SUMMARY, code=0), [])
        refresh = f"{PLAN} -refresh-only"
        self.assertEqual(self.plan(self.VERSION, drift, self.SUMMARY, command=refresh), others('a.b["x y"]'))
        self.assertIn("exit code 0, but", self.plan(self.VERSION, drift, self.SUMMARY, code=0, command=refresh))

    def test_messages(self) -> None:
        error = {"type": "diagnostic", "@level": "error", "diagnostic": {"summary": "S", "detail": "D"}}
        warning = {"type": "diagnostic", "@level": "warn", "diagnostic": {"summary": "S", "detail": "D"}}
        self.assertEqual(self.plan(self.VERSION, error, self.SUMMARY, code=0), "exit code 0; S: D")
        self.assertEqual(self.plan(self.VERSION, warning, self.SUMMARY, code=0), [])
        self.assertEqual(
            self.plan({"type": "version", "ui": "2.0"}, self.SUMMARY, code=0),
            "version 2.0 of the JSON messages is unknown",
        )
        for message in ({"type": "planned_change"}, {"type": "outputs", "outputs": []}, {"type": "version"}):
            self.assertIn("unknown form", self.plan(message, self.SUMMARY, code=0))
        text = f"Acquiring state lock\n{json.dumps(self.SUMMARY)}\n"
        self.assertEqual(read("tofu", PLAN, text), [])
        self.assertIn("not JSON", read("tofu", PLAN, text + '{"type": "planned_ch'))


class Aide(unittest.TestCase):
    def test_report_and_code_disagree(self) -> None:
        for code, document in {
            0: {"added": {"/a": ""}},
            1: {},
            4: {"removed": {"/a": ""}},
            3: {"added": {"/a": ""}},
        }.items():
            self.assertIn(f"exit code {code}, but", read("aide", "aide", json.dumps(document), code))
        self.assertIn("not an object", read("aide", "aide", '{"added": ["/a"]}', 1))

    def test_lines_of_a_section(self) -> None:
        head = "AIDE found differences between database and filesystem!!\nAdded entries:\n-----\n\n"
        self.assertEqual(
            read("aide", "aide", f"{head}f++: /a: b: \nf++: /c:\nf++: /d\n", 1), files("/a: b: ", "/c:", "/d")
        )
        self.assertIn("unknown form", read("aide", "aide", f"{head}f++ /a\n", 1))


class Salt(unittest.TestCase):
    def state(self, result: Any, module: str = "file", name: str = "/a", **more: Any) -> str:
        return json.dumps({"local": {f"{module}_|-i_|-{name}_|-x": {"name": name, "result": result, **more}}})

    def test_results(self) -> None:
        self.assertEqual(read("salt", SALT, self.state(True, changes={})), [])
        self.assertEqual(read("salt", SALT, self.state(None)), files("/a"))
        self.assertEqual(read("salt", SALT, self.state(True, changes={"a": 1})), files("/a"))
        self.assertEqual(read("salt", SALT, self.state(None, "pkg", "nginx")), others("pkg nginx"))
        self.assertEqual(read("salt", SALT, self.state(False, comment="c")), "exit code 0; file /a: c")
        self.assertEqual(read("salt", SALT, self.state("maybe", comment="c")), "exit code 0; file /a: c")
        self.assertEqual(read("salt", SALT, self.state(True), 1), "exit code 1")
        self.assertEqual(read("salt", SALT, self.state(None), 2), "exit code 2")

    def test_documents(self) -> None:
        for text in (
            "{}",
            "[]",
            "null",
            '{"local": {}}',
            '{"local": "x"}',
            '{"local": {"a": 1}}',
            '{"a": {}, "b": {}}',
        ):
            with self.subTest(text):
                self.assertIsInstance(read("salt", SALT, text), str)


class Puppet(unittest.TestCase):
    SUMMARY = "Notice: Applied catalog in 0.01 seconds\nChanges:\nResources:\n            Total: 9\n"

    def test_what_was_not_looked_at(self) -> None:
        for name in ("Failed", "Failed to restart", "Skipped"):
            text = f"{self.SUMMARY}      {name}: 2\nTime:\n"
            self.assertEqual(read("puppet", "puppet", text), f"the summary counts 2 resources as {name.lower()}")

    def test_without_the_end_of_the_run(self) -> None:
        for text in (
            "",
            "Notice: Applied catalog in 0.01 seconds\n",
            "Resources:\n   Total: 1\n",
            self.SUMMARY.replace("Resources", "Time"),
        ):
            self.assertEqual(read("puppet", "puppet", text), "the output has no summary of a run")

    def test_resources(self) -> None:
        for path, expected in {
            "/Stage[main]/Main/File[/a b/[c]/d]": files("/a b/[c]/d"),
            "/Stage[main]/A::B/File[motd]": others("File[motd]"),
            "/Stage[main]/A::B/C::D[x/y]/Package[z]": others("C::D[x/y]/Package[z]"),
            "/Stage[main]/Main/Notify[hello]": [],
        }.items():
            with self.subTest(path):
                text = f"Notice: {path}/ensure: current_value 'a\nb', should be 'c' (noop)\n{self.SUMMARY}"
                self.assertEqual(read("puppet", "puppet", text + "  Out of sync: 1\n"), expected)


class CfAgent(unittest.TestCase):
    def test_warnings(self) -> None:
        for text, expected in {
            "Should insert line '/x' into '/l.conf' after locator": files("/l.conf"),
            "Should delete file '/a's'": files("/a's"),
            "Should change permissions of '/a' from 0644 to 0600": files("/a"),
            "Need to create user 'x'.": others("Need to create user 'x'."),
            "Should start 'x'": others("Should start 'x'"),
        }.items():
            with self.subTest(text):
                self.assertEqual(read("cf-agent", "cf-agent", f" warning: {text}\n"), expected)

    def test_lines(self) -> None:
        for line in ("R: a report", "    info: x", "  notice: x", " verbose: x"):
            self.assertEqual(read("cf-agent", "cf-agent", line), [], line)
        for line in (" warning: something else", "x", "  x: y"):
            self.assertIn("unknown form", read("cf-agent", "cf-agent", line), line)
        self.assertEqual(read("cf-agent", "cf-agent", "", 0, "   error: x"), "exit code 0; x")
        self.assertEqual(read("cf-agent", "cf-agent", "", 0, "/a.cf:1:2: error: x"), "exit code 0; /a.cf:1:2: error: x")


class Names(unittest.TestCase):
    def test_preset_for(self) -> None:
        self.assertEqual(preset_for(["/usr/bin/tofu", "plan"]), "tofu")
        self.assertEqual(preset_for(["etckeeper", "vcs"]), "git")
        self.assertIsNone(preset_for(["sudo", "rsync"]))
