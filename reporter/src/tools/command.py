"""Runs the command: passes its output through, and keeps the output and the exit code in a directory."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import IO, Any

from listings import is_empty_manifest
from outcome import KEPT_MAX
from presets import PRESETS

# How long the output may stay open after the command has ended, and how long the command may take to end on a signal.
OPEN_SECONDS = 5.0
END_SECONDS = 5.0
CHUNK = 64 * 1024
STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asks to end."""


class Stream:
    """One of the command's streams: passed on to a descriptor, and kept in a file."""

    def __init__(self, source: IO[bytes], target: int, file: IO[bytes]) -> None:
        self.source = source
        self.target: int | None = target
        self.file = file
        self.left = KEPT_MAX
        # The reason why the kept output is not complete.
        self.fault = ""

    def take(self) -> bool:
        """Takes what there is; False at the end."""
        data = os.read(self.source.fileno(), CHUNK)
        self.keep(data)
        self.pass_on(data)
        return bool(data)

    def keep(self, data: bytes) -> None:
        if self.fault:
            return
        if len(data) > self.left:
            self.fault = f"it has more than {KEPT_MAX // 1024 // 1024} MiB"
            return
        self.left -= len(data)
        try:
            while data:
                data = data[self.file.write(data) :]
        except OSError as error:
            self.fault = f"it could not be stored: {error.strerror}"
            # The report needs the space.
            self.file.truncate(0)

    def pass_on(self, data: bytes) -> None:
        while data and self.target is not None:
            try:
                data = data[os.write(self.target, data) :]
            except BlockingIOError:
                wait = selectors.DefaultSelector()
                wait.register(self.target, selectors.EVENT_WRITE)
                wait.select()
            except OSError:
                # The output has no reader any more, which does not end the check.
                self.target = None


def run(work: str, preset: str, command: list[str]) -> dict[str, Any]:
    """Runs a command to its end; returns its exit code or the reason for none, and the faults of its output."""
    manifest = os.path.join(work, "stdin")
    source: IO[bytes] | None = None
    if PRESETS[preset].reads_manifest(command):
        with open(manifest, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if is_empty_manifest(manifest):
            return {"fault": "standard input has no object: did the program that writes it fail?"}
        source = open(manifest, "rb")
    # A signal that arrives while the command is being started waits until the process is known, and can be ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        # A session of its own, so that the processes that the command starts can be ended with it.
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            bufsize=0,
            start_new_session=True,
            preexec_fn=accept_signals,
        )
    except OSError as error:
        accept_signals()
        code = 127 if isinstance(error, FileNotFoundError) else 126
        return {"fault": f"it cannot be run (exit code {code}): {error.strerror}"}
    try:
        accept_signals()
        return {**watch(work, process), "code": process.wait()}
    except Stopped:
        end(process)
        raise


def accept_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def environment() -> dict[str, str]:
    """The environment without translations: the presets read English."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LANGUAGE", "LANG")}
    return {**kept, "LC_ALL": "C.UTF-8"}


def watch(work: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Passes the output through until it ends, or until the command has ended and nothing more comes for a while."""
    assert process.stdout and process.stderr
    with open(os.path.join(work, "stdout"), "wb", 0) as out, open(os.path.join(work, "stderr"), "wb", 0) as err:
        streams = {"stdout": Stream(process.stdout, 1, out), "stderr": Stream(process.stderr, 2, err)}
        with selectors.DefaultSelector() as selector:
            for name, stream in streams.items():
                selector.register(stream.source, selectors.EVENT_READ, name)
            deadline = None
            while selector.get_map() and (deadline is None or time.monotonic() < deadline):
                for key, _ in selector.select(0.1):
                    if not streams[key.data].take():
                        selector.unregister(key.fileobj)
                if deadline is None and process.poll() is not None:
                    deadline = time.monotonic() + OPEN_SECONDS
            for key in selector.get_map().values():
                streams[key.data].fault = "a process that the command started still has it open"
    return {"faults": {name: stream.fault for name, stream in streams.items() if stream.fault}}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the command and the processes that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def stop(_number: int, _frame: FrameType | None) -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def main(work: str, preset: str, *command: str) -> int:
    for number in STOPPING:
        signal.signal(number, stop)
    try:
        outcome = run(work, preset, list(command))
    except Stopped:
        return 1
    with open(os.path.join(work, "outcome.json"), "w", encoding="utf-8") as file:
        json.dump(outcome, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
