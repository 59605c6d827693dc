"""What a link may ask of its supervisor, checked before anything is written."""

from __future__ import annotations

import re
from typing import Any

from plumber_core.runner.wire import Message


class Refusal(Exception):
    """Answered to the link as an error code with a detail; nothing was changed."""


_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,127}")


def named(message: Message) -> str:
    """Return the attempt that a message names.

    Raises:
        Refusal: it cannot be a file's name.
    """
    attempt = message["attempt"]
    if not _NAME.fullmatch(attempt):
        raise Refusal("bad_request", "attempt")
    return str(attempt)


def checked(command: dict[str, Any]) -> dict[str, Any]:
    """Return a command that has the shape of one: after this nothing but the system may fail it.

    Raises:
        Refusal: it has not.
    """
    texts = [*command["argv"], *command["env"], *command["env"].values(), command.get("path") or ""]
    if not command["argv"] or not all(isinstance(text, str) for text in texts):
        raise Refusal("bad_request", "command")
    return command
