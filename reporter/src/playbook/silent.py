"""An Ansible callback that shows nothing: Ansible's output for a task may contain the contents of files."""

from __future__ import annotations

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: gitops_silent
type: stdout
short_description: Shows nothing
description: Shows nothing.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "gitops_silent"
