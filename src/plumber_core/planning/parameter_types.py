"""The types of parameters: what each accepts, from programs and as text from a command line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.planning.targets import parse_aim
from plumber_core.reasons import Because, because

_INTEGER = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


class Unfit(ValueError):
    """A value that a parameter cannot take; ``reason`` says what it must be, as in ``must be a whole number``."""

    def __init__(self, reason: Because) -> None:
        self.reason = reason
        super().__init__(reason)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(because("must_be_text"))
    return value


def _line(value: Any) -> str:
    if _BREAKS.search(_text(value)):
        raise Unfit(because("must_be_line"))
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(because("must_be_integer"))
    if not -(2**63) <= value < 2**63:
        raise Unfit(because("must_be_64_bits"))
    return value


def _float(value: Any) -> float:
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(because("must_be_number"))
    if (isinstance(value, int) and abs(value) >= 2**63) or not math.isfinite(value):
        raise Unfit(because("must_be_finite"))
    return float(value)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _YES | _NO:
        raise Unfit(because("must_be_switch"))
    return word in _YES


def _list(value: Any) -> list[str]:
    """Text is a JSON list, or entries separated by line ends, or by commas."""
    if isinstance(value, str):
        value = _split(value)
    if not isinstance(value, list | tuple):
        raise Unfit(because("must_be_list"))
    if not all(isinstance(item, str) and not _BREAKS.search(item) for item in value):
        raise Unfit(because("must_be_lines"))
    return list(value)


def _split(text: str) -> Any:
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Unfit(because("must_be_json_list")) from None
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def _several(value: Any) -> list[str]:
    return list(dict.fromkeys(_list(value)))


def _target(value: Any) -> str:
    """Whom it means is found out when the run starts; how it is written, now."""
    try:
        parse_aim(_line(value))
    except InvalidRequest as error:
        raise Unfit(because("must_be_target", detail=error.arguments["reason"])) from None
    return str(value)


CHOOSING = ("enum", "multi-enum")
"""Types whose values are some of the parameter's choices."""
READERS: Mapping[str, Callable[[Any], Any]] = {
    "string": _line,
    "text": _text,
    "enum": _line,
    "int": _integer,
    "float": _float,
    "bool": _switch,
    "multi-enum": _several,
    "list": _list,
    "target": _target,
}
