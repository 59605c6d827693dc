"""Every block of code in the documentation runs, or says why it cannot."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plumber_client.config import Profile, store
from plumber_core.config import Settings
from plumber_core.planning.parse import check_task
from support.console import Console, commands, missing_lines, quick_programs
from support.pages import ELSEWHERE, Block, Page, pages, twin
from support.processes import free_port
from support.programs import RunningServer, launch_agent, launch_server, opened

PAGES = [page for page in pages() if page.name not in ELSEWHERE]
ENGLISH = [page for page in PAGES if twin(page) is None and page.blocks]
CHINESE = [page for page in PAGES if twin(page) is not None]
_MARKS = {"", "background until", "generated", "needs", "not run", "prints", "refused"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """The server of all pages that want one."""
    folder = tmp_path_factory.mktemp("house")
    with opened(folder, request) as processes:
        server = launch_server(processes, f"sqlite:///{folder}/plumber.db")
        for name in ("web-1", "web-2"):
            launch_agent(processes, server, name, {"role": "web"})
        yield server


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with a quick ``plumber``."""
    folder = tmp_path_factory.mktemp("q")
    with opened(folder, request) as processes:
        yield quick_programs(folder, processes)


@pytest.fixture
def reader(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Callable[[Page], Reader]]:
    """Somebody who does what a page says, in an empty folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with opened(tmp_path, request) as processes:
        yield lambda page: _reader(page, Console(folder, processes, free_port(), (programs,)), request, monkeypatch)


def _reader(page: Page, console: Console, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Reader:
    if not page.wants_server:
        return Reader(console)
    server: RunningServer = request.getfixturevalue("house")
    console.port = int(server.url.rpartition(":")[2])
    store(Profile(server.url, server.token, "admin"), console.environment)
    monkeypatch.setenv("PLUMBER_TOKEN", server.token)
    return Reader(console)


@dataclass
class Reader:
    """Runs the blocks of a page in order, and collects what is not as the page says."""

    console: Console
    printed: str = ""
    wrong: list[str] = field(default_factory=list)

    def read(self, page: Page) -> None:
        """Run all blocks of a page."""
        for block in page.blocks:
            if block.how == "not run" or (block.how == "needs" and shutil.which(block.about) is None):
                continue
            if block.file:
                (self.console.folder / block.file).write_text(self.console.here(block.text))
            found = _BY_LANGUAGE[block.language](self, block)
            self.wrong += [f"{page.name}:{block.line}: {problem}" for problem in found]

    def console_block(self, block: Block) -> Iterator[str]:
        """Run the commands of a block."""
        for command in commands(block.text):
            asks_for_code = command.text.startswith("echo $?")
            if self.console.code and not asks_for_code:
                yield f"the command before `{command.text}` ended with {self.console.code}"
            if block.how == "background until":
                found = self.console.start(command, block.about)
            else:
                found = self.console.run(command)
            yield from (f"$ {command.text}: {difference}" for difference in found)
        if self.console.code:
            yield f"the last command ended with {self.console.code}"
        self.console.code = 0

    def python(self, block: Block) -> Iterator[str]:
        """Execute a program in this process: starting an interpreter each time would cost a second."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(self.console.here(block.text), "page", "exec"), {"__name__": "__main__"})  # noqa: S102
        self.printed = printed.getvalue()
        yield from ()

    def text(self, block: Block) -> Iterator[str]:
        """Compare what the last program printed."""
        if block.how == "prints":
            yield from missing_lines(block.text, self.printed)

    def task(self, block: Block) -> Iterator[str]:
        """Check a task, or steps of one."""
        text = block.text
        if text.lstrip().startswith("- "):
            text = "name: shown\non: all\nsteps:\n" + text
        found = [problem.code for problem in check_task(text, _FORMATS[block.language], name="shown")]
        wanted = [code.strip() for code in block.about.split(",")] if block.how == "refused" else []
        if found != wanted:
            yield f"has the problems {found}, not {wanted}"

    def toml(self, block: Block) -> Iterator[str]:
        """Check the original's task file, or a server's settings."""
        values = tomllib.loads(block.text)
        if "step" in values:
            yield from self.task(block)
        else:
            yield from (f"{key} is no setting" for key in values.keys() - Settings.model_fields.keys())

    def json(self, block: Block) -> Iterator[str]:
        """Check that it can be read."""
        json.loads(block.text)
        yield from ()

    def ini(self, block: Block) -> Iterator[str]:
        """Check that it can be read."""
        configparser.RawConfigParser(strict=False).read_string(block.text)
        yield from ()

    def picture(self, block: Block) -> Iterator[str]:
        """Nothing to run."""
        yield from ()


_FORMATS = {"yaml": "yaml", "toml": "toml"}
_BY_LANGUAGE: dict[str, Callable[[Reader, Block], Iterator[str]]] = {
    "console": Reader.console_block,
    "ini": Reader.ini,
    "json": Reader.json,
    "mermaid": Reader.picture,
    "python": Reader.python,
    "text": Reader.text,
    "toml": Reader.toml,
    "yaml": Reader.task,
}


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in ENGLISH])
def test_page_does_what_it_says(page: Page, reader: Callable[[Page], Reader]) -> None:
    somebody = reader(page)
    somebody.read(page)
    assert somebody.wrong == [], "\n".join(somebody.wrong)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in CHINESE])
def test_chinese_page_shows_the_same_code(page: Page) -> None:
    english = twin(page)
    assert english is not None
    assert [(b.language, b.text, b.how) for b in page.blocks] == [(b.language, b.text, b.how) for b in english.blocks]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_block_runs_or_has_a_reason(page: Page) -> None:
    for block in page.blocks:
        where = f"{page.name}:{block.line}"
        assert block.how in _MARKS, f"{where}: {block.how} says nothing about the block below it"
        if block.how == "not run":
            assert len(block.about) > 10, f"{where}: why is it not run?"
        else:
            assert block.language in _BY_LANGUAGE, f"{where}: nobody runs {block.language or 'this'}"


def test_pages_that_others_test_exist() -> None:
    assert [name for name, test in ELSEWHERE.items() if not Path(test).exists() or not Path(name).exists()] == []


def test_the_comparison_finds_what_differs() -> None:
    assert missing_lines("one  2 ms\n", "one 17 s\n") == []
    assert missing_lines("one\n...\n", "one\ntwo\n") == []
    assert missing_lines("one\n", "two\n") == ["- one", "+ two"]
