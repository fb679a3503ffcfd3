"""Recordings of the tools, as the presets read them. Each is a directory below test/integration/reporter/tools."""

from __future__ import annotations

import json
import os
import shutil
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from presets import PRESETS, preset_for
from tool import fault_of, files_of, judge

TOOLS = Path(__file__).parents[2] / "test/integration/reporter/tools"


def what_is_read(case: Path) -> dict[str, Any]:
    command = (case / "command").read_text(encoding="utf-8").splitlines()
    preset = preset_for(command) or "exit-code"
    refused = fault_of(preset, "web-1", command)
    if refused:
        return {"refused": refused}
    with TemporaryDirectory() as work:
        for stream in ("stdout", "stderr"):
            shutil.copy(case / stream, work)
        code = int((case / "exit_code").read_text())
        Path(work, "outcome.json").write_text(json.dumps({"code": code, "faults": {}}))
        differences, fault = judge(work, preset, command)
    return {"check_failed": fault} if fault else {"files": files_of(differences, "")}


@patch.dict(os.environ, {"GITOPS_REPO": "etc"})
class Recordings(unittest.TestCase):
    maxDiff = None

    def test_each(self) -> None:
        cases = [path.parent for path in sorted(TOOLS.glob("*/*/command"))]
        self.assertGreater(len(cases), 50)
        for case in cases:
            with self.subTest(f"{case.parent.name}/{case.name}"):
                expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
                self.assertEqual(what_is_read(case), expected)

    def test_each_preset_has_some(self) -> None:
        """A recording in sync, one with drift and one of a failure, for each preset that is for a program."""
        found: dict[str, set[str]] = {}
        for case in TOOLS.glob("*/*/expected.json"):
            (kind, value), *_ = json.loads(case.read_text(encoding="utf-8")).items()
            command = (case.parent / "command").read_text(encoding="utf-8").splitlines()
            found.setdefault(preset_for(command) or "", set()).add(kind if value else "synced")
        for name, preset in PRESETS.items():
            if preset.programs:
                with self.subTest(name):
                    self.assertLessEqual({"synced", "files", "check_failed"}, found.get(name, set()))
