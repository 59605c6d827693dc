"""Plugins where steps run: they get their settings there, validated by their own model, and say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumber_agent.settings import plugin_table
from plumber_core.app import Plumber
from plumber_core.errors import StartupError
from plumber_core.runner.describe import describe_executors
from support.waiting import wait_until

HELLO = '''
from pydantic import BaseModel
from plumber_core import executor, hookimpl

class Settings(BaseModel):
    word: str = "Hello"

@hookimpl
def register_executors(ctx):
    word = ctx.settings(Settings).word

    @executor("hello", summary="hello {name}")
    async def hello(ctx, name: str):
        """Says hello."""
        return {"said": f"{word}, {name}!"}

    return [hello]
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a plugin of one file that has settings."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "hello.py").write_text(HELLO)
    return tmp_path


async def test_an_embedded_executor_gets_its_settings_and_the_folder_is_seen_from_the_program(
    folder: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    plugins = {"folder": "plugins", "hello": {"word": "Moin"}}
    task = "{name: t, on: local, steps: [{name: h, path: /, uses: hello, with: {name: Ada}}]}"
    async with Plumber(sqlite_url, plugins=plugins, state_dir=folder / "state") as plumber:

        async def announced() -> bool:
            return "hello" in {one.kind for one in await plumber.executors.list()}

        await wait_until(announced)
        ended = await plumber.run(task)
    assert ended.steps[0].attempts[0].outputs == {"said": "Moin, Ada!"}


async def test_settings_that_do_not_fit_are_named_where_the_agent_runs(
    folder: Path,
) -> None:
    (folder / "agent.toml").write_text('[plugins]\nfolder = "plugins"\n[plugins.hello]\nwrod = "Moin"\n')
    table = plugin_table(None, folder / "agent.json")
    assert table["folder"] == str(folder / "plugins")
    with pytest.raises(ValueError, match=r"\[plugins.hello\] wrod: Extra inputs are not permitted"):
        await describe_executors(table)


@pytest.mark.parametrize(
    ("content", "reason"),
    [("plugins = 1", "plugins is no setting"), ("[plugin]", "plugin is no setting"), ("[", "agent.toml: ")],
)
def test_a_settings_file_that_says_anything_else_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "agent.toml").write_text(content)
    with pytest.raises(StartupError, match=reason):
        plugin_table(None, tmp_path / "agent.json")
    with pytest.raises(StartupError, match="No such file"):
        plugin_table(tmp_path / "nowhere.toml", tmp_path / "agent.json")
    assert plugin_table(None, tmp_path / "elsewhere" / "agent.json") == {}
