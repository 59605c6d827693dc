"""Rollouts with gates, what hosts hand on inside of a block, and their plan, on both databases."""

from __future__ import annotations

import json
from typing import Any

from plumber_core.app import Plumber
from plumber_core.model.task import Gate, Rollout, Step
from support.embedded import show, start
from support.rollouts import block, by_step, fleet, kinds, states_of
from support.scripted_agent import ScriptedAgent


async def test_a_host_that_is_away_keeps_a_stopped_rollout_open_only_while_others_are_in_flight(
    plumber: Plumber,
) -> None:
    agents = await fleet(plumber, 3)
    await agents[2].disconnect()
    execution = await start(plumber, block("one", batches="100%"))
    await agents[0].work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["one"]) == ("running", ["failed", "running", "skipped"])
    await agents[1].work("succeeded")
    assert (await show(plumber, execution)).state == "failed"


async def test_a_gate_asks_each_host_that_got_through_before_the_next_batch(plumber: Plumber) -> None:
    agents = await fleet(plumber, 4)
    rollout = {"batches": "2", "max_failures": 1, "gate": Gate(name="check", run="check")}
    execution = await start(plumber, block("one", "two", **rollout))
    await agents[0].work("succeeded", "failed")
    detail = await show(plumber, execution)
    assert by_step(detail)["check"] == ["skipped", "blocked", "blocked", "blocked"]
    await agents[1].work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert by_step(detail)["check"] == ["skipped", "running", "blocked", "blocked"]
    assert states_of(detail) == ["gate", "blocked"]
    gated = {"code": "batch_gate", "block": "roll out", "batch": 1, "batches": 2}
    assert {step.waiting and step.waiting["code"] for step in detail.steps if step.state == "blocked"} == {"batch_gate"}
    assert detail.steps[2].waiting == gated
    await agents[1].work("succeeded")
    assert by_step(await show(plumber, execution))["one"] == ["succeeded", "succeeded", "running", "running"]
    for agent in agents[2:]:
        await agent.work("succeeded", "succeeded")
    for agent in agents[2:]:
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings, states_of(detail)) == ("succeeded", 1, ["passed", "passed"])
    told = [(kind, data["batch"]) for kind, data in await kinds(plumber, execution)]
    assert told[:4] == [("batch.started", 1), ("batch.finished", 1), ("gate.started", 1), ("gate.finished", 1)]


async def test_the_last_host_of_a_batch_may_fail_and_is_not_asked(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    execution = await start(plumber, block("one", max_failures=1, gate=Gate(run="check")))
    await agents[0].work("succeeded")
    await agents[1].work("failed")
    detail = await show(plumber, execution)
    assert by_step(detail)["roll out gate"] == ["running", "skipped"]
    await agents[0].work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_gate_of_which_nobody_is_left_is_passed(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", max_failures="50%", gate=Gate(run="check")))
    await agents[0].work("failed")
    await agents[1].work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["roll out gate"]) == ("succeeded", ["skipped", "succeeded"])


async def test_a_gate_that_fails_stops_the_rollout(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    execution = await start(plumber, block("one", batches="1 100%", max_failures=3, gate=Gate(run="check")))
    await agents[0].work("succeeded", "failed")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("failed", ["stopped", "skipped"])
    assert by_step(detail)["one"] == ["succeeded", "skipped", "skipped"]
    [told] = [data for kind, data in await kinds(plumber, execution) if kind == "gate.finished"]
    assert (told["failed"], told["passed"]) == (1, False)


async def test_a_gate_on_its_own_hosts_runs_after_each_batch_behind_the_pause(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2, role="web")
    judge = await ScriptedAgent.create(plumber, "judge", role="lb")
    gate = Gate(name="look", run="look", on="any 1 of role=lb")
    step = Step(name="one", on="role=web", run="one", rollout=Rollout(batches="1", pause="manual", gate=gate))
    execution = await start(plumber, step)
    await agents[0].work("succeeded")
    assert (await show(plumber, execution)).rollouts[0].waiting == {
        "code": "batch_go",
        "block": "one",
        "batch": 1,
        "batches": 2,
    }
    await plumber.executions.go(execution=execution, batch=1)
    for agent in (None, agents[1]):
        if agent is not None:
            await agent.work("succeeded")
        asked = await judge.take()
        assert await judge.start(asked.attempt) == "go"
        await judge.report(asked.attempt)
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("succeeded", ["passed", "passed"])
    assert [(step.step, step.host_name) for step in detail.steps if step.step != "one"] == [
        ("look 1", "judge"),
        ("look 2", "judge"),
    ]


async def test_a_host_reads_its_own_outputs_inside_of_a_block(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    second = Step(name="two", run="two", env={"GOT": "${{ steps.one.outputs.key }}"})
    execution = await start(plumber, Step(name="b", steps=(Step(name="one", run="one"), second)))
    for agent in agents:
        await agent.work("succeeded", key=agent.config.id)
    envs = [step.env.get("GOT") for step in (await show(plumber, execution)).steps if step.step == "two"]
    assert envs == [agent.config.id for agent in agents]


async def test_a_host_that_cannot_go_on_has_failed_and_the_rollout_goes_on_within_its_limits(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    second = Step(name="two", run="two", env={"GOT": "${{ steps.one.outputs.key }}"})
    rollout = Rollout(batches="1", max_failures=1)
    execution = await start(plumber, Step(name="b", steps=(Step(name="one", run="one"), second), rollout=rollout))
    await agents[0].work("succeeded")
    detail = await show(plumber, execution)
    assert by_step(detail) == {"one": ["succeeded", "running"], "two": ["skipped", "blocked"]}
    assert detail.problem is not None and "key" in json.dumps(detail.problem)
    await agents[1].work("succeeded", "succeeded", key="x")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)


async def test_the_plan_shows_batches_in_the_order_in_which_they_will_run(plumber: Plumber) -> None:
    for number in range(7):
        await ScriptedAgent.create(plumber, f"h{number}", rack=str(11 - number))
    await plumber.agents.update(agent="h3", labels={"canary": "true"})
    source = """
name: ordered
on: all
steps:
  - name: roll out
    rollout:
      batches: [1, 50%, 100%]
      max_failures: {total: 30%, batch: 1}
      pause: 30s
      order: {label: rack}
      gate: {run: "true", on: h0}
    steps: [{name: one, run: "true"}, {name: two, run: "true"}]
  - name: shuffled
    run: "true"
    rollout: {batches: 3 +1, order: random}
"""
    await plumber.tasks.apply(source=source)
    plan = await plumber.tasks.plan(task="ordered")
    first, second = plan.rollouts
    assert [batch.names for batch in first.batches] == [["h6"], ["h5", "h4", "h2", "h1"], ["h0", "h3"]]
    assert (first.block, first.pause, first.most_failed, first.steps) == ("roll out", 30.0, 2, [0, 1])
    assert [plan.steps[index].name for index in first.gates] == [f"roll out gate {n}" for n in (1, 2, 3)]
    assert [batch.most_failed for batch in first.batches] == [1, 1, 1]
    assert [batch.hosts for batch in second.batches] == [3, 4]
    shuffled = [name for batch in second.batches for name in batch.names]
    assert sorted(shuffled) == [f"h{n}" for n in range(7)] != shuffled
    again = await plumber.tasks.plan(task="ordered")
    assert (again.hash, again.rollouts) == (plan.hash, plan.rollouts)
    begun = await plumber.tasks.run(task="ordered")
    running = [step.host_name for step in (await show(plumber, begun.id)).steps if step.state == "running"]
    assert running == ["h6"]


async def test_a_report_inside_of_a_large_batch_writes_and_reads_as_little_as_in_a_small_one(plumber: Plumber) -> None:
    agents = await fleet(plumber, 6)
    execution = await start(plumber, block("one", "two", batches="3", max_failures=5))
    assignment = await agents[0].take()
    reads: list[str] = []
    store = plumber._engine.store
    for name in ("load", "step_of", "outputs", "open_lanes", "stages", "step"):
        real = getattr(store, name)

        def counted(*args: Any, name: str = name, real: Any = real) -> Any:
            reads.append(name)
            return real(*args)

        setattr(store, name, counted)
    following = (await agents[0].report(assignment.attempt)).next
    assert following is not None
    await agents[0].report(following.attempt, state="failed", exit_code=1)
    assert reads == []
    assert by_step(await show(plumber, execution))["two"][0] == "failed"
