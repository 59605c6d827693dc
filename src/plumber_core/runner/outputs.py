"""The values that a step hands on, read from the file that ``$PLUMBER_OUTPUT`` names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plumber_core.model.limits import MAX_OUTPUT_VALUES
from plumber_core.runner.disk import DISK, Disk

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HEREDOC = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)<<(\S+)\Z")


class BadOutput(ValueError):
    """The file does not have one of the two shapes, or is too large; the text says where."""


def read_outputs(path: Path, disk: Disk = DISK, *, written: int = 0) -> dict[str, str]:
    """Return the values in an output file; a missing file has none.

    ``written`` are bytes that were in it when the command ended: what is not there any more is missed.

    The file holds ``key=value`` lines (``key<<END`` opens a value of several lines, up to a line ``END``) or one
    JSON object. A later value of a key replaces an earlier one.

    Raises:
        BadOutput: the file cannot be understood.
    """
    try:
        content = disk.read_file(str(path), MAX_OUTPUT_VALUES + 1)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise BadOutput(f"the output file cannot be read: {error.strerror}") from error
    if len(content) < min(written, MAX_OUTPUT_VALUES):
        raise BadOutput(f"{len(content)} of {written} bytes of the output file are left")
    return parse_outputs(content)


def parse_outputs(content: bytes) -> dict[str, str]:
    """Return the values in the content of an output file.

    Raises:
        BadOutput: it cannot be understood.
    """
    if len(content) > MAX_OUTPUT_VALUES:
        raise BadOutput(f"the output file is larger than {MAX_OUTPUT_VALUES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadOutput(f"the output file is not UTF-8 at byte {error.start}") from error
    if "\0" in text:
        raise BadOutput("the output file contains a NUL byte")
    return _object(text) if text.lstrip().startswith("{") else dict(_lines(text))


def _object(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadOutput(f"the output file is not JSON: {error}") from error
    for key in value:
        _check_key(key, "the JSON object")
    values = {key: _text(item) for key, item in value.items()}
    if any(not _storable(item) for item in values.values()):
        raise BadOutput("the output file contains characters that are no Unicode text")
    return values


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if opening := _HEREDOC.match(line):
            yield opening[1], _heredoc(lines, opening[2], number)
        elif line.strip():
            key, equals, value = line.partition("=")
            if not equals:
                raise BadOutput(f"line {number} of the output file is not key=value")
            yield _check_key(key, f"line {number}"), value


def _heredoc(lines: Iterator[tuple[int, str]], end: str, opened: int) -> str:
    value: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(value)
        value.append(line)
    raise BadOutput(f"the value that line {opened} opens has no end ({end})")


def _check_key(key: str, place: str) -> str:
    if not _KEY.match(key):
        raise BadOutput(f"{place} of the output file has a key that is no name: {key[:80]!r}")
    return key
