"""Asking before something that cannot be taken back."""

from __future__ import annotations

import sys

from plumber_core.errors import InvalidRequest
from plumber_core.terminal.console import err
from plumber_core.terminal.language import _

YES = {"y", "yes", "是"}


def agreed(question: str, option: str) -> bool:
    """Ask on the terminal and say whether the answer was yes.

    Raises: InvalidRequest (nobody can be asked here, and ``option`` was not given).
    """
    if not sys.stdin.isatty():
        raise InvalidRequest(field=option, reason=_("needed, because nobody can be asked here"))
    return err().input(f"{question} [y/N] ").strip().lower() in YES
