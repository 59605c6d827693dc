"""Chinese texts call one thing by one word, wherever they stand: command line, page, install script, docs."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator

import pytest
from babel.messages.pofile import read_po

from support.pages import ROOT

OTHERS = re.compile(r"agent|代理(?!对)|智能体", re.IGNORECASE)
"""What an agent could be called too. It is 节点; its program, where it is started or upgraded, is 节点程序."""
NAMES = re.compile(
    r"```.*?```|`[^`]*`|\[\w+\]\([^)]*\)|\]\([^)]*\)|(?m:^#+ \w+$)|\{\w+\}"
    r"|agent\.\w+|plumber[- ]agent|X-Agent-Token|PLUMBER_AGENT_\w+|(?<=[和道] )agent(?=[，；])",
    re.DOTALL,
)
"""What is typed as it stands: code, files, commands, headers, variables, the variable of expressions."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _page(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _page(part)


def _catalogue() -> Iterator[str]:
    with (ROOT / "src/plumber_core/locales/zh/LC_MESSAGES/plumber.po").open("rb") as stream:
        yield from (str(message.string) for message in read_po(stream) if message.id)


def _locales() -> Iterator[str]:
    for file in (ROOT / "src/plumber_web/frontend/src/locales/zh-CN").glob("*.json"):
        yield from _page(json.loads(file.read_text()))


def _docstrings() -> Iterator[str]:
    texts = tomllib.loads((ROOT / "tools/reference.zh-CN.toml").read_text())
    for entries in texts.values():
        yield from (entry["zh"] for entry in entries)


def _script() -> Iterator[str]:
    text = (ROOT / "src/plumber_server/install/install.sh").read_text()
    yield from (quoted for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', text) if CHINESE.search(quoted))


def _prose() -> Iterator[str]:
    for file in [ROOT / "README.zh-CN.md", *(ROOT / "docs").rglob("*.zh-CN.md")]:
        yield from NAMES.sub("", file.read_text()).splitlines()


SOURCES = {
    "the command line": _catalogue,
    "the page": _locales,
    "the operations": _docstrings,
    "the install script": _script,
    "the docs": _prose,
}


@pytest.mark.parametrize("source", SOURCES)
def test_an_agent_is_called_by_one_word(source: str) -> None:
    texts = [text for text in SOURCES[source]() if CHINESE.search(text)]
    assert texts
    assert [text for text in texts if OTHERS.search(NAMES.sub("", text))] == []
