"""Event subscribers, as plugins of one file: each hears every event once more than never, in order, over restarts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine import followers
from plumber_core.errors import Conflict, InvalidRequest, NotFound, PluginBroken, StartupError
from plumber_core.model.limits import Patience
from plumber_core.model.notice_views import SubscriberView
from support.waiting import wait_until

SUBSCRIBER = '''
import asyncio
from pathlib import Path
from plumber_core import EventSubscriber, hookimpl

HERE = Path(__file__).parent

class Scribe(EventSubscriber):
    """Writes down what it hears."""

    name = "{name}"
    kinds = {kinds}

    async def handle(self, event):
        if event.data.get("name") == (HERE / "{name}.trouble").read_text():
            {trouble}
        with (HERE / "{name}.heard").open("a") as file:
            file.write(f"{{event.id}} {{event.data.get('name')}}\\\\n")

@hookimpl
def register_event_subscribers(ctx):
    return [Scribe()]
'''


def subscriber(folder: Path, name: str, trouble: str = "raise OSError('no ink')", kinds: Any = None) -> None:
    (folder / f"{name}.trouble").write_text("")
    (folder / f"{name}.heard").touch()
    source = SUBSCRIBER.format(name=name, trouble=trouble, kinds=kinds).replace("\\\\n", "\\n")
    (folder / f"{name.replace('-', '_')}.py").write_text(source)


@asynccontextmanager
async def listening(database_url: str, folder: Path) -> AsyncIterator[Plumber]:
    plugins, patience = {"folder": str(folder)}, Patience(sweep_interval=0.2)
    async with Plumber(database_url, local_agent=False, plugins=plugins, patience=patience) as plumber:
        yield plumber


def heard(folder: Path, name: str) -> list[str]:
    """Return what was heard, without the repeats of what a server that stopped could not note any more."""
    lines = dict.fromkeys((folder / f"{name}.heard").read_text().splitlines())
    return [line.split()[1] for line in lines]


async def make(plumber: Plumber, *names: str) -> None:
    for name in names:
        await plumber.agents.create(name=name)


async def test_each_event_is_heard_in_order_and_after_a_restart_from_where_it_stood(
    database_url: str, tmp_path: Path
) -> None:
    subscriber(tmp_path, "one", kinds={"agent.created"})
    async with listening(database_url, tmp_path) as plumber:
        await make(plumber, "a", "b")
        await wait_until(lambda: heard(tmp_path, "one") == ["a", "b"])
    async with Plumber(database_url, local_agent=False) as plumber:
        await make(plumber, "c")
    async with listening(database_url, tmp_path) as plumber:
        await make(plumber, "d")
        await wait_until(lambda: heard(tmp_path, "one") == ["a", "b", "c", "d"])


@pytest.mark.parametrize("trouble", ["raise OSError('no ink')", "await asyncio.sleep(600)"], ids=["raises", "hangs"])
async def test_one_that_cannot_take_an_event_is_asked_again_is_shown_and_holds_nobody_up(
    sqlite_url: str, tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "PATIENCE", 0.2)
    monkeypatch.setattr(followers, "RETRY_FIRST", 0.05)
    subscriber(tmp_path, "bad-one", trouble)
    subscriber(tmp_path, "good")
    (tmp_path / "bad-one.trouble").write_text("b")
    async with listening(sqlite_url, tmp_path) as plumber:
        await make(plumber, "a", "b", "c")
        await wait_until(lambda: heard(tmp_path, "good")[-3:] == ["a", "b", "c"])
        shown = await wait_until(lambda: _failing(plumber, "bad-one", 2))
        assert shown["noun"] == "event_subscribers" and shown["behind"]
        assert heard(tmp_path, "bad-one")[-1] == "a"
        assert not await _failing(plumber, "good", 1)
        (tmp_path / "bad-one.trouble").write_text("")
        await wait_until(lambda: heard(tmp_path, "bad-one")[-3:] == ["a", "b", "c"])
        await wait_until(lambda: _is_well(plumber, "bad-one"))


async def test_one_that_is_stuck_is_asked_again_at_once_or_goes_on_behind_the_event(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "RETRY_FIRST", 300.0)
    subscriber(tmp_path, "bad-one", kinds={"agent.created"})
    (tmp_path / "bad-one.trouble").write_text("b")
    async with listening(database_url, tmp_path) as plumber:
        with pytest.raises(Conflict, match="bad-one is not stuck"):
            await plumber.subscribers.retry(name="bad-one")
        with pytest.raises(NotFound):
            await plumber.subscribers.skip(name="bad-noe", event="0.1", reason="r")
        await make(plumber, "a", "b", "c")
        stuck = await wait_until(lambda: _stuck(plumber, "bad-one"))
        assert (stuck.waiting, stuck.error, stuck.kinds) == (2, "OSError: no ink", ["agent.created"])
        assert stuck.stuck_at is not None and stuck.stuck_at.data["name"] == "b"

        (tmp_path / "bad-one.trouble").write_text("c")
        assert (await plumber.subscribers.retry(name="bad-one")).failing_since is None
        await wait_until(lambda: heard(tmp_path, "bad-one") == ["a", "b"])

        again = await wait_until(lambda: _stuck(plumber, "bad-one"))
        with pytest.raises(Conflict, match="another event"):
            await plumber.subscribers.skip(name="bad-one", event=stuck.stuck_at.id, reason="broken for good")
        assert again.stuck_at is not None
        with pytest.raises(InvalidRequest, match="reason"):
            await plumber.subscribers.skip(name="bad-one", event=again.stuck_at.id, reason=" ")
        await plumber.subscribers.skip(name="bad-one", event=again.stuck_at.id, reason="broken for good")
        await make(plumber, "d")
        await wait_until(lambda: heard(tmp_path, "bad-one") == ["a", "b", "d"])
        told = {row.kind: row.data for row in await plumber._engine.store.events_after("0.0", None, 100)}
        assert told["subscriber.retried"]["by"] == "system"
        assert told["subscriber.skipped"] == {
            "name": "bad-one",
            "event": again.stuck_at.id,
            "kind": "agent.created",
            "by": "system",
            "reason": "broken for good",
        }


async def test_the_place_of_a_subscriber_that_is_gone_is_kept_and_shown(sqlite_url: str, tmp_path: Path) -> None:
    subscriber(tmp_path, "one")
    async with listening(sqlite_url, tmp_path) as plumber:
        await make(plumber, "a")
        await wait_until(lambda: heard(tmp_path, "one")[-1:] == ["a"])
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        shown = {one.name: one for one in await plumber.subscribers.list()}
        assert shown["one"].plugin == "" and shown["one"].place


async def test_a_second_server_takes_over_what_the_first_did_not_hear(postgres_url: str, tmp_path: Path) -> None:
    subscriber(tmp_path, "one", kinds={"agent.created"})
    async with listening(postgres_url, tmp_path) as first:
        async with listening(postgres_url, tmp_path) as second:
            await make(second, "a")
            await make(first, "b")
            await wait_until(lambda: heard(tmp_path, "one") == ["a", "b"])
        await make(first, "c")
        await wait_until(lambda: heard(tmp_path, "one") == ["a", "b", "c"])


async def test_a_file_that_cannot_be_loaded_or_clashes_is_named_with_its_path(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "_helper.py").write_text("raise RuntimeError('never imported')")
    (tmp_path / "broken.py").write_text("import nowhere")
    with pytest.raises(PluginBroken, match=f"{tmp_path}/broken.py.*ModuleNotFoundError"):
        async with listening(sqlite_url, tmp_path):
            pass
    (tmp_path / "broken.py").unlink()
    subscriber(tmp_path, "shell")
    with pytest.raises(PluginBroken, match=f"shell .plumber-fleet.*{tmp_path}/shell.py"):
        async with listening(sqlite_url, tmp_path):
            pass
    with pytest.raises(StartupError, match="No such file"):
        async with listening(sqlite_url, tmp_path / "nowhere"):
            pass


async def _objects(plumber: Plumber) -> dict[str, dict[str, Any]]:
    plugins = await plumber.system.plugins()
    return {one.name: json.loads(one.model_dump_json()) for plugin in plugins for one in plugin.objects}


async def _failing(plumber: Plumber, name: str, times: int) -> dict[str, Any] | None:
    one = (await _objects(plumber))[name]
    return one if one["failing"] and one["failures"] >= times else None


async def _is_well(plumber: Plumber, name: str) -> bool:
    return not (await _objects(plumber))[name]["failing"]


async def _stuck(plumber: Plumber, name: str) -> SubscriberView | None:
    shown = {one.name: one for one in await plumber.subscribers.list()}
    return shown[name] if shown[name].failing_since else None
