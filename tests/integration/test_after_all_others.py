"""Steps that always run: after success, failure and cancel, and never so that an execution does not end."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine.adoption import settle
from plumber_core.engine.turns import take_turns
from plumber_core.errors import Conflict
from plumber_core.model.task import Step
from plumber_core.model.views import ExecutionDetail
from plumber_core.protocol.messages import Cancel
from plumber_core.storage import tables as t
from support.embedded import due, show, start
from support.rollouts import LATER, Host, block, by_step, fleet, let_pauses_end

TIDY = Step(name="tidy", run="tidy")


def standing(detail: ExecutionDetail) -> dict[str, list[str]]:
    """Return states by step; whether a step that may run was claimed already is left open."""
    return {name: ["running" if one == "ready" else one for one in states] for name, states in by_step(detail).items()}


async def of_events(plumber: Plumber, execution: str) -> list[str]:
    rows = await plumber._engine.store.events_after("0.0", execution, 500)
    return [row.kind for row in rows if row.kind.startswith("execution.")]


async def test_they_run_when_all_has_succeeded(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="a", run="a"), Step(name="b", run="b", on="h0"), always=[TIDY])
    await one.work("succeeded")
    blocked = [step for step in (await show(plumber, execution)).steps if step.always]
    assert {(step.state, (step.waiting or {})["code"]) for step in blocked} == {("blocked", "always_turn")}
    await two.work("succeeded")
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.main_state, standing(detail)["tidy"]) == ("running", "succeeded", ["running"] * 2)
    await one.work("succeeded")
    await two.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.main_state, detail.warnings) == ("succeeded", "succeeded", 0)
    assert await of_events(plumber, execution) == [
        "execution.running",
        "execution.always",
        "execution.succeeded",
    ]


async def test_they_run_after_a_failure_each_in_its_turn_and_the_failure_stays(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    more = Step(name="more", run="more")
    execution = await start(plumber, Step(name="a", run="a"), Step(name="b", run="b"), always=[TIDY, more])
    await one.work("failed")
    detail = await show(plumber, execution)
    assert standing(detail) == {"a": ["failed"], "b": ["skipped"], "tidy": ["running"], "more": ["blocked"]}
    assert (detail.state, detail.main_state) == ("running", "failed")
    await one.work("failed", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["more"]) == ("failed", ["succeeded"])


async def test_one_that_fails_fails_the_execution_unless_that_is_allowed(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    lenient = Step(name="lenient", run="lenient", on_failure="continue")
    execution = await start(plumber, Step(name="a", run="a"), always=[lenient])
    await one.work("succeeded")
    await one.work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    execution = await start(plumber, Step(name="a", run="a"), always=[TIDY])
    await one.work("succeeded")
    await one.work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, detail.main_state) == ("failed", "succeeded")


async def test_they_run_after_a_cancel_when_what_ran_has_ended(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="a", run="a"), Step(name="b", run="b"), always=[TIDY])
    held = [await agent.take() for agent in (one, two)]
    await plumber.executions.cancel(execution=execution)
    for agent, taken in zip((one, two), held, strict=True):
        assert isinstance(await agent.next(), Cancel)
        assert by_step(await show(plumber, execution))["tidy"] == ["blocked"] * 2
        answer = await agent.report(taken.attempt, state="cancelled", exit_code=None, signal=15)
        agent.following = answer.next
    detail = await show(plumber, execution)
    assert standing(detail) == {"a": ["cancelled"] * 2, "b": ["cancelled"] * 2, "tidy": ["running"] * 2}
    assert (detail.state, detail.main_state, detail.cancel_requested) == ("running", "cancelled", True)
    for agent in (one, two):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "cancelled"


async def test_they_run_at_once_when_nothing_runs_at_a_cancel(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause="manual"), always=[TIDY])
    await one.work("succeeded")
    await plumber.executions.cancel(execution=execution)
    for agent in (one, two):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == (
        "cancelled",
        {"one": ["succeeded", "cancelled"], "tidy": ["succeeded"] * 2},
    )


async def test_a_further_cancel_ends_them_too(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    more = Step(name="more", run="more")
    execution = await start(plumber, Step(name="a", run="a"), always=[TIDY, more])
    await one.work("succeeded")
    taken = await one.take()
    await plumber.executions.cancel(execution=execution)
    assert isinstance(await one.next(), Cancel)
    await one.report(taken.attempt, state="cancelled", exit_code=None, signal=15)
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == (
        "cancelled",
        {"a": ["succeeded"], "tidy": ["cancelled"], "more": ["cancelled"]},
    )
    with pytest.raises(Conflict):
        await plumber.executions.cancel(execution=execution)


async def test_what_waits_for_an_agent_that_is_away_is_given_up(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    tidy = Step(name="tidy", run="tidy", on="h1")
    execution = await start(plumber, Step(name="a", run="a", on="h0"), always=[tidy])
    await two.disconnect()
    await one.work("succeeded")
    await due(plumber)
    assert (await show(plumber, execution)).state == "running"
    over = update(t.executions).values(deadline_at=t.executions.c.deadline_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(over) and None)
    await due(plumber)
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["tidy"]) == ("failed", ["cancelled"])
    assert detail.problem == {"code": "always_timeout", "arguments": {"timeout": 600 + 600 + 10}}


async def test_they_run_when_the_time_of_the_execution_is_over(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    task = '{"name": "t", "on": "all", "timeout": 60, "steps": [{"name": "a", "run": "a"}],'
    task += ' "always": [{"name": "tidy", "run": "tidy"}]}'
    begun = await plumber.executions.start(source=task, format="json")
    taken = await one.take()
    over = update(t.executions).values(deadline_at=t.executions.c.deadline_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(over) and None)
    await due(plumber)
    assert isinstance(await one.next(), Cancel)
    await one.report(taken.attempt, state="cancelled", exit_code=None, signal=15)
    await due(plumber)
    await one.work("succeeded")
    detail = await show(plumber, begun.id)
    assert (detail.state, detail.main_state, by_step(detail)["tidy"]) == ("failed", "failed", ["succeeded"])
    assert detail.problem is not None and detail.problem["code"] == "execution_timeout"


async def test_one_that_cannot_be_rendered_has_failed_and_the_next_one_runs(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    told = Step(name="tell", run="tell", env={"URL": "${{ steps.a.outputs.url }}"})
    execution = await start(plumber, Step(name="a", run="a"), always=[told, TIDY])
    await one.work("failed")
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == ("failed", {"a": ["failed"], "tell": ["skipped"], "tidy": ["succeeded"]})
    assert detail.problem is not None and detail.problem["code"] == "invalid_request"


async def test_a_stopped_rollout_is_followed_by_them(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    execution = await start(plumber, block("one", batches="100%"), Step(name="b", run="b"), always=[TIDY])
    for agent in agents:
        await agent.work("failed")
    for agent in agents:
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["b"], by_step(detail)["tidy"]) == (
        "failed",
        ["skipped"] * 3,
        ["succeeded"] * 3,
    )


async def test_a_rollout_stopped_with_nobody_in_flight_is_followed_by_them(plumber: Plumber) -> None:
    one, two, three = await fleet(plumber, 3)
    await three.disconnect()
    execution = await start(plumber, block("one", batches="2 100%", max_failures=0), always=[Step(name="c", run="c")])
    assert not two.inbox.empty()
    await two.work("succeeded")
    await one.work("failed")
    for agent in (one, two):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert by_step(detail) == {"one": ["failed", "succeeded", "skipped"], "c": ["succeeded", "succeeded", "ready"]}


async def test_a_server_that_died_before_their_turn_is_replaced_by_a_sweep(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="a", run="a"), always=[TIDY])

    async def dies(engine: object, execution: str) -> None:
        return None

    with monkeypatch.context() as patched:
        patched.setattr("plumber_core.engine.finish.take_turns_soon", dies)
        await one.work("succeeded")
    assert by_step(await show(plumber, execution))["tidy"] == ["blocked"]
    await let_pauses_end(plumber)
    await due(plumber)
    await take_turns(plumber._engine, execution)
    await one.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_look_at_the_whole_comes_to_the_same(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="a", run="a"), always=[TIDY])
    hosts: list[Host] = [one, two]
    await one.work("failed")
    await settle(plumber._engine, execution)
    assert by_step(await show(plumber, execution)) == {"a": ["failed", "running"], "tidy": ["blocked"] * 2}
    adopted = update(t.executions).values(adopted=1)
    await plumber._store.database.write(lambda connection: connection.execute(adopted) and None)
    plumber._engine.executions.forget_all()
    await two.work("succeeded")
    for host in hosts:
        await host.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == ("failed", {"a": ["failed", "succeeded"], "tidy": ["succeeded"] * 2})
