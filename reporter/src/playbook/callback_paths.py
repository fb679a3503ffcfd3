"""Prints the operator's callback directories, from the output of `ansible-config dump --format json`."""

from __future__ import annotations

import json
import sys

from text import say


def directories(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        settings = {entry.get("name"): entry.get("value") for entry in json.load(file)}
    return list(map(str, settings["DEFAULT_CALLBACK_PLUGIN_PATH"]))


if __name__ == "__main__":
    try:
        print(":".join(directories(sys.argv[1])))
    except (OSError, ValueError, AttributeError, KeyError) as error:
        say(f"cannot read the output of ansible-config: {error}")
        sys.exit(1)
