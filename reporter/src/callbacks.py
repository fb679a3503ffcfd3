"""Reads from Ansible's settings which callbacks the operator has chosen."""

from __future__ import annotations

import json
import sys

from text import say


def read(path: str) -> tuple[str, str]:
    """The stdout callback and the directories of callbacks, from what `ansible-config dump --format json` prints."""
    with open(path, encoding="utf-8") as file:
        settings = {entry.get("name"): entry.get("value") for entry in json.load(file)}
    directories = settings.get("DEFAULT_CALLBACK_PLUGIN_PATH") or []
    return str(settings.get("DEFAULT_STDOUT_CALLBACK") or "default"), ":".join(map(str, directories))


if __name__ == "__main__":
    try:
        print("\n".join(read(sys.argv[1])))
    except (OSError, ValueError, AttributeError) as error:
        say(f"what ansible-config dump prints is not understood: {error}")
        sys.exit(1)
