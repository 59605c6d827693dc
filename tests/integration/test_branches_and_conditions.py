"""``needs`` and ``when`` on both databases: branches, conditions by host, and what they ask of how it went."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine.adoption import settle
from plumber_core.errors import Unavailable, ValidationFailed
from plumber_core.model.task import Rollout, Step
from plumber_core.model.turns import Turn
from plumber_core.storage import tables as t
from support.embedded import due, show, start
from support.rollouts import Host, by_step, fleet


def step(name: str, **values: Any) -> Step:
    return Step(name=name, run=name, **values)


async def causes(plumber: Plumber, execution: str) -> dict[tuple[str, str], Any]:
    detail = await show(plumber, execution)
    return {(one.step, one.host_name): one.cause for one in detail.steps if one.cause is not None}


async def test_branches_run_beside_each_other_and_meet(plumber: Plumber) -> None:
    agents = dict(zip("abc", await fleet(plumber, 3), strict=True))
    execution = await start(
        plumber,
        step("report", on="h2", needs=("left", "right")),
        step("left", on="h0", needs=()),
        step("right", on="h1"),
    )
    detail = await show(plumber, execution)
    assert by_step(detail) == {"report": ["blocked"], "left": ["running"], "right": ["running"]}
    assert detail.steps[0].waiting == {"code": "needs", "steps": ["left", "right"]}
    await agents["b"].work("succeeded")
    assert (await show(plumber, execution)).steps[0].waiting == {"code": "needs", "steps": ["left"]}
    assert agents["c"].idle
    await agents["a"].work("succeeded")
    await agents["c"].work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_failure_skips_what_needs_it_and_nothing_else(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(
        plumber,
        step("build", on="h0"),
        step("test", on="h0", needs=("build",)),
        step("ship", on="h0", needs=("test",)),
        step("lint", on="h1"),
        step("publish lint", on="h1", needs=("lint",)),
        step("alarm", on="h1", needs=("build", "lint"), when="failed()"),
        step("praise", on="h1", needs=("lint",), when="success()"),
    )
    await one.work("failed")
    await two.work("succeeded")
    for _ in range(3):
        await two.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, {name: states[0] for name, states in by_step(detail).items()}) == (
        "failed",
        {
            "build": "failed",
            "test": "skipped",
            "ship": "skipped",
            "lint": "succeeded",
            "publish lint": "succeeded",
            "alarm": "succeeded",
            "praise": "succeeded",
        },
    )


async def test_a_condition_is_asked_on_each_host(plumber: Plumber) -> None:
    web, db = await Host.create(plumber, "web", role="web"), await Host.create(plumber, "db", role="db")
    execution = await start(
        plumber,
        step("all"),
        step("only web", when="agent.labels.role == 'web'"),
        step("nobody", when="${{ agent.name == 'nobody' }}"),
        step("after"),
    )
    await web.work("succeeded")
    await db.work("succeeded")
    await web.work("succeeded")
    detail = await show(plumber, execution)
    assert by_step(detail)["only web"] == ["skipped", "succeeded"]
    for host in (web, db):
        await host.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings, by_step(detail)["nobody"]) == ("succeeded", 0, ["skipped"] * 2)
    assert await causes(plumber, execution) == {
        ("only web", "db"): {"code": "when_false", "when": "agent.labels.role == 'web'"},
        ("nobody", "db"): {"code": "when_false", "when": "${{ agent.name == 'nobody' }}"},
        ("nobody", "web"): {"code": "when_false", "when": "${{ agent.name == 'nobody' }}"},
    }
    rows = await plumber._engine.store.events_after("0.0", execution, 500)
    skipped = [row.data["step"] for row in rows if row.kind == "step.skipped"]
    assert sorted(skipped) == [1, 2, 2]


async def test_an_output_decides_whether_a_host_goes_on_in_its_block(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    block = Step(
        name="update",
        when="agent.name != 'h9'",
        steps=(
            step("check"),
            step("install", when="steps.check.outputs.changed == 'yes'"),
            step("restart", when="steps.check.outputs.changed == 'yes'"),
        ),
        rollout=Rollout(batches="1"),
    )
    execution = await start(plumber, block, step("after"))
    await one.work("succeeded", changed="no")
    detail = await show(plumber, execution)
    assert by_step(detail)["install"] == ["skipped", "blocked"]
    assert [batch.state for batch in detail.rollouts[0].batches] == ["passed", "running"]
    await two.work("succeeded", changed="yes")
    await two.work("succeeded", "succeeded")
    for host in (one, two):
        await host.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["restart"]) == ("succeeded", ["skipped", "succeeded"])


async def test_a_list_asks_how_it_went(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    steps = (step("work"), step("undo", when="failed()"), step("note", when="always()"), step("more"))
    execution = await start(plumber, *steps)
    await one.work("failed")
    await one.work("succeeded")
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == (
        "failed",
        {"work": ["failed"], "undo": ["succeeded"], "note": ["succeeded"], "more": ["skipped"]},
    )
    execution = await start(plumber, *steps)
    for _ in range(3):
        await one.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["undo"]) == ("succeeded", ["skipped"])


async def test_what_always_runs_may_ask_how_it_went(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    always = [step("alarm", when="failed()"), step("praise", when="success()"), step("tidy")]
    execution = await start(plumber, step("work"), always=always)
    await one.work("failed")
    await one.work("succeeded")
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert by_step(detail) == {"work": ["failed"], "alarm": ["succeeded"], "praise": ["skipped"], "tidy": ["succeeded"]}


async def test_what_follows_a_branch_without_work_is_found_when_its_server_dies(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 672: nobody looked for what follows, and it ran for ever."""
    [one] = await fleet(plumber, 1)
    store, lives = plumber._engine.store, [True]
    take = store.take_turn

    async def dies_after_the_first(turn: Turn) -> bool:
        if not lives:
            raise Unavailable(reason="it died")
        lives.pop()
        return await take(turn)

    with monkeypatch.context() as death:
        death.setattr(store, "take_turn", dies_after_the_first)
        execution = await start(plumber, step("undo", when="failed()"), always=[step("tidy")])
    assert not lives
    await due(plumber)
    await one.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_task_in_which_nothing_is_to_be_done_has_succeeded(plumber: Plumber) -> None:
    await fleet(plumber, 2)
    task = {"name": "t", "on": "all", "params": {"go": {"type": "bool", "default": False}}}
    steps = [{"name": "a", "run": "a", "when": "params.go"}, {"name": "b", "run": "b", "when": "params.go"}]
    begun = await plumber.executions.start(source=json.dumps({**task, "steps": steps}), format="json")
    detail = await show(plumber, begun.id)
    assert (detail.state, by_step(detail)) == ("succeeded", {"a": ["skipped"] * 2, "b": ["skipped"] * 2})


async def test_a_condition_without_a_value_fails_where_it_is_asked(plumber: Plumber) -> None:
    [one] = await fleet(plumber, 1)
    execution = await start(plumber, step("a"), step("b", when="steps.a.outputs.x == '1'"), step("c", when="failed()"))
    await one.work("succeeded")
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)) == ("failed", {"a": ["succeeded"], "b": ["skipped"], "c": ["succeeded"]})
    assert detail.problem is not None
    assert detail.problem["arguments"]["field"] == "steps.b.when"
    execution = await start(plumber, step("a"), step("b", when="agent.name"))
    await one.work("succeeded")
    detail = await show(plumber, execution)
    assert detail.problem is not None
    assert "true or false" in detail.problem["arguments"]["reason"]


async def test_a_cancel_begins_no_branch_whatever_its_condition_says(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(
        plumber, step("a", on="h0", needs=()), step("b", on="h1"), step("c", needs=("a", "b"), when="always()")
    )
    first, second = await one.take(), await two.take()
    await plumber.executions.cancel(execution=execution)
    for agent, taken in ((one, first), (two, second)):
        await agent.next()
        await agent.report(taken.attempt, state="cancelled", exit_code=None, signal=15)
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["c"]) == ("cancelled", ["cancelled"] * 2)


async def test_a_look_at_the_whole_goes_on_with_a_graph(plumber: Plumber) -> None:
    one, two = await fleet(plumber, 2)
    execution = await start(
        plumber,
        step("a", on="h0", needs=()),
        step("b", on="h1"),
        step("c", needs=("a", "b"), when="agent.name == 'h1'"),
    )
    adopted = update(t.executions).values(adopted=1)
    await plumber._store.database.write(lambda connection: connection.execute(adopted) and None)
    plumber._engine.executions.forget_all()
    await one.work("succeeded")
    await settle(plumber._engine, execution)
    assert by_step(await show(plumber, execution))["c"] == ["blocked"] * 2
    await two.work("succeeded")
    await two.work("succeeded")
    await due(plumber)
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["c"]) == ("succeeded", ["skipped", "succeeded"])


async def test_a_plan_shows_needs_and_conditions(plumber: Plumber) -> None:
    await fleet(plumber, 1)
    source = json.dumps(
        {
            "name": "t",
            "on": "all",
            "steps": [
                {"name": "a", "run": "a", "needs": []},
                {"name": "b", "run": "b", "needs": ["a"], "when": "agent.name == 'h0'"},
            ],
        }
    )
    await plumber.tasks.apply(source=source, format="json")
    plan = await plumber.tasks.plan(task="t")
    assert [(one.needs, one.when) for one in plan.steps] == [([], []), (["a"], ["agent.name == 'h0'"])]
    with pytest.raises(ValidationFailed):
        await plumber.tasks.apply(source=source.replace('["a"]', '["b"]'), format="json")
