"""How the command is run, as far as it takes no process."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import command
from command import Stream
from listings import is_empty_manifest, reads_standard_input


class Manifests(unittest.TestCase):
    def test_empty(self) -> None:
        with TemporaryDirectory() as directory:
            path = Path(directory, "stdin")
            for text in ("", "\n \n", "# Source: x\n---\n\n--- # x\n...\n", "\r\n---\r\n"):
                path.write_text(text)
                self.assertTrue(is_empty_manifest(str(path)), text)
            for text in ("a: 1", "---\n# x\na: 1\n", "{}", "--- a"):
                path.write_text(text)
                self.assertFalse(is_empty_manifest(str(path)), text)

    def test_standard_input(self) -> None:
        for arguments in ("-f -", "-f-", "-f=-", "-Rf -", "--filename=-", "--filename -", "-f /dev/stdin"):
            self.assertTrue(reads_standard_input(["kubectl", "diff", *arguments.split()]), arguments)
            self.assertTrue(
                reads_standard_input(["sh", "-c", f"helm template x | kubectl diff {arguments}"]), arguments
            )
        for arguments in ("-f x", "-k a-", "-f x-", "--server-side"):
            self.assertFalse(reads_standard_input(["kubectl", "diff", *arguments.split()]), arguments)


class Streams(unittest.TestCase):
    def test_more_than_is_kept(self) -> None:
        """All is passed on, and what is kept is known not to be all."""
        with TemporaryDirectory() as directory, open(Path(directory, "kept"), "wb", 0) as file:
            source, into = os.pipe()
            out, target = os.pipe()
            with patch.object(command, "KEPT_MAX", 5), os.fdopen(source, "rb", buffering=0) as stream:
                kept = Stream(stream, target, file)
                for data in (b"abc", b"def", b"g"):
                    os.write(into, data)
                    self.assertTrue(kept.take())
                os.close(into)
                self.assertFalse(kept.take())
            self.assertEqual(os.read(out, 100), b"abcdefg")
            self.assertIn("it has more than", kept.fault)
            os.close(out)
            os.close(target)
