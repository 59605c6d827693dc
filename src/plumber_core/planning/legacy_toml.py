"""The original's task file: ``[[step]]`` tables with ``ServerID``, ``Path`` and ``CMD``, and no name inside."""

from __future__ import annotations

from typing import Any

from plumber_core.planning.document import Node, Path, child, plain
from plumber_core.planning.problems import Report, nearest
from plumber_core.reasons import because

_HEADER = ("name", "description")
"""Not the original's: they came beside the file and were put into it, so that the source says everything."""
_KEYS = {"serverid": "ServerID", "path": "Path", "cmd": "CMD"}


def is_original(root: Node) -> bool:
    """Say whether a TOML document is one of the original's: it has ``step``, which our language has not."""
    return child(root, "step") is not None and child(root, "steps") is None


def translate(root: Node, name: str | None, description: str, report: Report) -> dict[str, Any]:
    """Return the definition that means the same: one step a table, ``step-1`` onwards, on that agent.

    ``report`` takes what is wrong. The reader of TOML took its keys in any case of letters, and so does this.
    """
    for key in root.value if isinstance(root.value, dict) else ():
        if key != "step" and key not in _HEADER:
            report.add("unknown_key", (key,), at_key=True, key=key, where=because("in_original"))
    inside = {key: _text((key,), plain(found), report) for key in _HEADER if (found := child(root, key))}
    name, description = name or inside.get("name") or None, description or inside.get("description", "")
    if name is None:
        report.add("missing_key", (), key="name", expected=because("expect_name_beside"))
    tables = child(root, "step")
    items = tables.value if tables and isinstance(tables.value, list) else None
    if items is None:
        report.add("wrong_type", ("step",), key="step", expected=because("expect_tables"))
    steps = [_step(index, item, report) for index, item in enumerate(items or ())]
    if items is not None and not steps:
        report.add("no_steps", ("step",))
    return {
        "name": name,
        **({"description": description} if description else {}),
        "steps": steps,
        "clean_environment": False,
    }


def _step(index: int, table: Node, report: Report) -> dict[str, Any]:
    path: Path = ("step", index)
    values = plain(table)
    if not isinstance(values, dict):
        report.add("wrong_type", path, key="step", expected=because("expect_table"))
        return {}
    found = {_known(key, path, report): (key, value) for key, value in values.items()}
    texts = {name: _text((*path, key), value, report) for name, (key, value) in found.items() if name in _KEYS}
    for name in ("serverid", "cmd"):
        if not texts.get(name, "").strip():
            report.add("missing_key", path, key=_KEYS[name])
    step = {"name": f"step-{index + 1}", "run": texts.get("cmd", ""), "on": [texts.get("serverid", "").strip()]}
    return step | ({"path": texts["path"]} if texts.get("path") else {})


def _known(key: str, path: Path, report: Report) -> str:
    if key.lower() not in _KEYS:
        guess = nearest(key, _KEYS.values())
        report.add("unknown_key", (*path, key), at_key=True, nearest=guess, key=key, where=because("in_original_step"))
    return key.lower()


def _text(path: Path, value: Any, report: Report) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    report.add("wrong_type", path, key=str(path[-1]), expected=because("expect_text"))
    return ""
