"""From what happened to a message that arrived: who is told, once, in which words, whatever dies on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine import deliveries
from plumber_core.errors import Conflict, NotFound, StartupError, ValidationFailed
from plumber_core.model.limits import Patience
from plumber_core.storage import tables as t
from support.http_receiver import Receiver, receiving
from support.rollouts import Host, fleet
from support.waiting import wait_until

BROKEN = (500, b"out of order")
TASK = "{{name: shop, on: h0, notify: {notify}, steps: [{{name: install, run: x}}]}}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@asynccontextmanager
async def telling(database_url: str, receiver: Receiver, *channels: str, **options: Any) -> AsyncIterator[Plumber]:
    """Open a control plane whose channels post to paths of their own names."""
    made = {name: {"url": f"{receiver.url}/{name}", "allow_private": True} for name in channels}
    options.setdefault("patience", Patience(sweep_interval=0.2))
    options.setdefault("public_url", "https://plumber.example")
    async with Plumber(database_url, local_agent=False, plugins={"webhook": {"channels": made}}, **options) as plumber:
        yield plumber


def told(receiver: Receiver) -> list[tuple[str, str, str]]:
    """Return (channel, occasion, task) of what arrived."""
    bodies = [(request.path.strip("/"), json.loads(request.body)) for request in receiver.got]
    return [(channel, body["occasion"], body["data"].get("task", "")) for channel, body in bodies]


async def run(plumber: Plumber, host: Any, *ends: str, task: str = "shop") -> str:
    begun = await plumber.tasks.run(task=task)
    await host.work(*ends)
    return begun.id


async def let_time_pass(plumber: Plumber, column: Any = t.deliveries.c.due_at, seconds: float = 100_000) -> None:
    moved = update(t.deliveries).values({column: column - int(seconds * 1_000_000)})
    await plumber._store.database.write(lambda connection: connection.execute(moved) and None)
    plumber._engine.outbox.set()


async def test_each_occasion_tells_whom_the_task_and_the_server_name(database_url: str, receiver: Receiver) -> None:
    settings = {"failure": "all", "recovery": ["all", "ops"]}
    async with telling(database_url, receiver, "ops", "all", notifications=settings) as plumber:
        [host] = await fleet(plumber, 1)
        await plumber.tasks.apply(source=TASK.format(notify="{failure: [ops, all], success: ops}"))
        await run(plumber, host, "succeeded")
        await wait_until(lambda: len(receiver.got) == 1)
        failed = await run(plumber, host, "failed")
        await wait_until(lambda: len(receiver.got) == 3)
        await run(plumber, host, "succeeded")
        await wait_until(lambda: len(receiver.got) == 5)
        await run(plumber, host, "succeeded")
        await wait_until(lambda: len(receiver.got) == 6)
        sent = await plumber.notifications.list(state="sent")
    assert told(receiver)[0] == ("ops", "success", "shop")
    assert sorted(told(receiver)[1:3]) == [("all", "failure", "shop"), ("ops", "failure", "shop")]
    assert sorted(told(receiver)[3:5]) == [("all", "recovery", "shop"), ("ops", "recovery", "shop")]
    assert told(receiver)[5:] == [("ops", "success", "shop")]
    body = json.loads(receiver.got[1].body)
    assert body["title"] == "shop failed"
    assert body["text"].splitlines()[:2] == ["install · h0: exit 1", "Requested by system"]
    assert body["url"] == f"https://plumber.example/executions/{failed}"
    assert [one.attempts for one in sent.items] == [1] * 6


async def test_a_rollout_that_waits_for_somebody_says_so_in_chinese(database_url: str, receiver: Receiver) -> None:
    settings = {"waiting": "ops", "language": "zh"}
    async with telling(database_url, receiver, "ops", notifications=settings) as plumber:
        hosts = await fleet(plumber, 2)
        source = (
            "{name: 商店, steps: [{name: 升级, on: all, rollout: {batches: 1, pause: manual},"
            " steps: [{name: one, run: x}]}]}"
        )
        await plumber.executions.start(source=source)
        await hosts[0].work("succeeded")
        await wait_until(lambda: receiver.got)
        body = json.loads(receiver.got[0].body)
    assert (body["occasion"], body["title"]) == ("waiting", "商店 在等待您")
    assert body["text"].splitlines()[0] == "升级 在第 1/2 批之后等待，直到有人放行。"


async def test_what_cannot_be_delivered_is_tried_again_and_then_visibly_given_up(
    database_url: str, receiver: Receiver
) -> None:
    receiver.answers["/ops"] = BROKEN
    async with telling(database_url, receiver, "ops", "well", notifications={"failure": ["ops", "well"]}) as plumber:
        [host] = await fleet(plumber, 1)
        await plumber.tasks.apply(source=TASK.format(notify="{}"))
        execution = await run(plumber, host, "failed")
        pending = await wait_until(lambda: _errors(plumber, "pending"), what="a failed try")
        assert "answered 500: out of order" in pending[0]
        channels = {one.name: one for one in await plumber.notifications.channels()}
        assert (channels["ops"].pending, channels["ops"].error) == (1, pending[0])
        await wait_until(lambda: ("well", "failure", "shop") in told(receiver))
        await let_time_pass(plumber)
        await wait_until(lambda: _attempts(plumber, 2), what="the second try")
        values = update(t.deliveries).values(attempts=40)
        await plumber._store.database.write(lambda connection: connection.execute(values) and None)
        await let_time_pass(plumber)
        [given_up] = await wait_until(lambda: _all(plumber, "failed"), what="it to be given up")
        events = await plumber._engine.store.events_after("0.0", execution, 500)
        assert ("notification.failed", given_up.id) in [(row.kind, row.data.get("id")) for row in events]
        ids = {json.loads(request.body)["id"] for request in receiver.got if request.path == "/ops"}
        assert ids == {given_up.id}
        receiver.answers.clear()
        await plumber.notifications.retry(id=given_up.id)
        await wait_until(lambda: _all(plumber, "sent", "ops"), what="it to arrive at last")
        with pytest.raises(Conflict):
            await plumber.notifications.retry(id=given_up.id)
        with pytest.raises(NotFound):
            await plumber.notifications.retry(id="nobody")


async def test_nothing_is_lost_or_told_twice_over_restarts_and_replicas(postgres_url: str, receiver: Receiver) -> None:
    """A server dies between the event and the message: the next one tells, and two together tell once."""
    options: dict[str, Any] = {"notifications": {"failure": "ops"}}
    async with telling(postgres_url, receiver, "ops", **options) as first:
        await first.tasks.apply(source=TASK.format(notify="{}"))
    async with Plumber(postgres_url, local_agent=False) as silent:
        [host] = await fleet(silent, 1)
        execution = await run(silent, host, "failed")
    assert receiver.got == []
    async with (
        telling(postgres_url, receiver, "ops", **options) as one,
        telling(postgres_url, receiver, "ops", **options) as two,
    ):
        await wait_until(lambda: receiver.got)
        [host] = await _named(two)
        await run(two, host, "failed")
        await wait_until(lambda: len(receiver.got) == 2)
        await wait_until(lambda: _all(one, "sent"))
    bodies = [json.loads(request.body) for request in receiver.got]
    assert bodies[0]["data"]["execution"] == execution
    assert len({body["id"] for body in bodies}) == len(bodies) == 2


async def _named(plumber: Plumber) -> list[Host]:
    """Connect the agent h0 again, without a memory of what it was."""
    config = await plumber.agents.rotate(agent="h0")
    host = Host(plumber, config, incarnation=5)
    await host.connect()
    return [host]


async def test_a_server_that_died_while_it_sent_has_it_sent_again_with_the_same_id(
    database_url: str, receiver: Receiver
) -> None:
    options: dict[str, Any] = {"notifications": {"failure": "ops"}}
    async with telling(database_url, receiver, "ops", **options) as plumber:
        [host] = await fleet(plumber, 1)
        await plumber.tasks.apply(source=TASK.format(notify="{}"))
        await run(plumber, host, "failed")
        await wait_until(lambda: _all(plumber, "sent"))
        # What a server leaves behind that dies after the message and before it could note that it was sent.
        unsaid = update(t.deliveries).values(state="pending", ended_at=None)
        await plumber._store.database.write(lambda connection: connection.execute(unsaid) and None)
        assert len(receiver.got) == 1
        await let_time_pass(plumber)
        await wait_until(lambda: len(receiver.got) == 2)
    first, second = (json.loads(request.body) for request in receiver.got)
    assert first["id"] == second["id"] == receiver.got[1].headers["x-plumber-notification"]


async def test_news_of_yesterday_is_no_news(database_url: str, receiver: Receiver) -> None:
    options: dict[str, Any] = {"notifications": {"failure": "ops"}}
    async with telling(database_url, receiver, "ops", **options) as plumber:
        await plumber.tasks.apply(source=TASK.format(notify="{}"))
    async with Plumber(database_url, local_agent=False) as silent:
        [host] = await fleet(silent, 1)
        await run(silent, host, "failed")
        old = update(t.events).values(at=t.events.c.at - 2 * 86_400_000_000)
        await silent._store.database.write(lambda connection: connection.execute(old) and None)
        await host.disconnect()
    async with telling(database_url, receiver, "ops", **options) as plumber:
        [host] = await _named(plumber)
        await run(plumber, host, "failed")
        await wait_until(lambda: receiver.got)
        assert len((await plumber.notifications.list()).items) == 1


async def test_a_channel_that_was_taken_out_is_said_and_not_forgotten(database_url: str, receiver: Receiver) -> None:
    async with telling(database_url, receiver, "ops") as plumber:
        await plumber.tasks.apply(source=TASK.format(notify="{failure: ops}"))
    async with telling(database_url, receiver, "other") as plumber:
        [host] = await fleet(plumber, 1)
        await run(plumber, host, "failed")
        [failed] = await wait_until(lambda: _all(plumber, "failed"))
        assert "no plugin offers a channel named ops" in str(failed.error)
        assert [(one.name, one.failed) for one in await plumber.notifications.channels()] == [("ops", 1), ("other", 0)]


async def test_names_that_nobody_offers_are_refused(sqlite_url: str, receiver: Receiver) -> None:
    async with telling(sqlite_url, receiver, "ops-chat") as plumber:
        with pytest.raises(ValidationFailed) as refused:
            await plumber.tasks.apply(source=TASK.format(notify="{failure: [ops-chat, ops-cat], waiting: 1, fail: x}"))
        problems = {one["code"]: one for one in refused.value.arguments["problems"]}
        assert problems["unknown_channel"]["nearest"] == "ops-chat"
        assert {"wrong_type", "unknown_key"} <= set(problems)
    with pytest.raises(StartupError, match="did you mean ops"):
        async with telling(sqlite_url, receiver, "ops", notifications={"failure": "opps"}):
            pass
    with pytest.raises(StartupError, match=r"\[notifications\] fail"):
        Plumber(sqlite_url, notifications={"fail": "ops"})


async def test_a_channel_can_be_tried(sqlite_url: str, receiver: Receiver) -> None:
    receiver.answers["/broken"] = BROKEN
    async with telling(sqlite_url, receiver, "ops", "broken") as plumber:
        sent = await plumber.notifications.test(channel="ops")
        assert (sent.state, sent.occasion, sent.attempts) == ("sent", "test", 1)
        failed = await plumber.notifications.test(channel="broken")
        assert failed.state == "failed" and "500" in str(failed.error)
        with pytest.raises(NotFound):
            await plumber.notifications.test(channel="opps")
    assert json.loads(receiver.got[0].body)["title"] == "Plumber can reach this channel"


@pytest.mark.row(91)
async def test_a_channel_that_hangs_holds_up_no_other(
    sqlite_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "PATIENCE", 0.3)
    async with telling(sqlite_url, receiver, "hang", "ops", notifications={"failure": ["hang", "ops"]}) as plumber:
        [host] = await fleet(plumber, 1)
        await plumber.tasks.apply(source=TASK.format(notify="{}"))
        await run(plumber, host, "failed")
        await wait_until(lambda: ("ops", "failure", "shop") in told(receiver))
        assert "TimeoutError" in (await wait_until(lambda: _errors(plumber, "pending")))[0]


async def _all(plumber: Plumber, state: Any, channel: str | None = None) -> list[Any]:
    return list((await plumber.notifications.list(state=state, channel=channel)).items)


async def _errors(plumber: Plumber, state: Any) -> list[str]:
    return [one.error for one in await _all(plumber, state) if one.error]


async def _attempts(plumber: Plumber, number: int) -> bool:
    return any(one.attempts >= number and one.error for one in await _all(plumber, "pending"))
