"""What names and labels of agents may be."""

from __future__ import annotations

import re

from plumber_core.errors import InvalidRequest
from plumber_core.model.names import is_name
from plumber_core.reasons import because

MAX_AGENT_NAME = 100
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,62}", re.ASCII)
DERIVED = frozenset({"id", "name"})


def check_agent_name(field: str, name: str) -> None:
    """Refuse a name that is not one visible line of at most 100 characters.

    Raises: InvalidRequest.
    """
    if not is_name(name) or len(name) > MAX_AGENT_NAME:
        raise InvalidRequest(field=field, reason=because("one_line", most=MAX_AGENT_NAME))


def check_label(key: str, value: str) -> None:
    """Refuse a label that target expressions could not name.

    Raises: InvalidRequest.
    """
    field = f"labels.{key[:64]}"
    if not _KEY.fullmatch(key) or key in DERIVED:
        raise InvalidRequest(field=field, reason=because("bad_label_name"))
    if not is_name(value):
        raise InvalidRequest(field=field, reason=because("bad_label_value"))
