"""Targets at plan and run: who nearly matches, what is nearest, and steps that may have no host."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import NobodyMatches
from plumber_core.model.overviews import FailedTerm
from plumber_core.model.task import Step
from support.embedded import show, start, states
from support.scripted_agent import ScriptedAgent

FLEET = {
    "web-1": {"role": "web", "env": "prod"},
    "web-2": {"role": "web", "env": "test", "canary": "true"},
    "db-1": {"role": "db", "env": "prod"},
}


async def _fleet(plumber: Plumber) -> None:
    for name, labels in FLEET.items():
        await plumber.agents.create(name=name, labels=labels)


async def test_a_match_tells_who_nearly_matches_and_which_term_fails(plumber: Plumber) -> None:
    await _fleet(plumber)
    await plumber.agents.disable(agent="web-1")
    match = await plumber.agents.match(on="role=web and env in (prod, stage) and not canary")
    assert (match.total, match.names) == (0, [])
    assert [(near.name, near.state, len(near.failed)) for near in match.near] == [
        ("web-1", "disabled", 0),
        ("db-1", "active", 1),
        ("web-2", "active", 2),
    ]
    assert match.near[1].failed == [FailedTerm(term="role=web", label="role", value="db")]
    assert match.near[2].failed == [
        FailedTerm(term="env in (prod, stage)", label="env", value="test"),
        FailedTerm(term="not canary", label="canary", value="true"),
    ]
    assert [(one.word, one.nearest) for one in match.unknown] == [("env=stage", None)]


async def test_an_agent_s_version_is_a_fact_that_can_be_compared(plumber: Plumber) -> None:
    await _fleet(plumber)
    agent = ScriptedAgent(plumber, (await plumber.agents.create(name="new")).config)
    await agent.connect(version="0.10.1+agent.3f")
    assert (await plumber.agents.match(on="version>=0.10.1")).names == ["new"]
    assert (await plumber.agents.match(on="version<0.9")).names == []
    assert [one.name for one in (await plumber.agents.list(on="version>=0")).items] == ["new"]


@pytest.mark.parametrize(
    ("on", "says"),
    [
        ("rolle=web", "no agent has rolle, the nearest is role"),
        ("role=web and env=prd", "no agent has env=prd, the nearest is env=prod"),
        ("role=db and env=test", "db-1 would, but for env=test"),
        ("mars", "no agent has mars"),
    ],
)
async def test_nobody_matching_says_what_is_nearest(plumber: Plumber, on: str, says: str) -> None:
    await _fleet(plumber)
    with pytest.raises(NobodyMatches, match=says):
        await start(plumber, Step(name="one", run="1"), on=on)


async def test_a_step_that_may_have_no_host_is_left_out(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "only")
    steps = (
        Step(name="first", run="1", on="role=db", allow_empty=True),
        Step(name="second", run="2", on="all"),
        Step(name="third", run="3", on=["nobody", "no one"], allow_empty=True),
    )
    execution = await start(plumber, *steps)
    matrix = await plumber.executions.matrix(execution=execution)
    assert [[state >= 0 for state in column] for column in matrix.states] == [[False], [True], [False]]
    await agent.report((await agent.take()).attempt)
    assert await states(plumber, execution) == ["succeeded"]
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_run_without_any_host_has_succeeded_at_once(plumber: Plumber) -> None:
    source = "name: t\non: role=db\nallow_empty: true\nsteps: [{name: one, run: 'true'}]"
    await plumber.tasks.apply(source=source)
    plan = await plumber.tasks.plan(task="t")
    assert [(step.name, step.hosts) for step in plan.steps] == [("one", [])]
    begun = await plumber.tasks.run(task="t")
    ended = await show(plumber, begun.id)
    assert (ended.state, ended.steps, ended.problem) == ("succeeded", [], None)
    assert ended.ended_at is not None
    events = plumber.follow(execution=begun.id, after="0.0")
    assert [(await anext(events)).kind for _ in range(2)] == [  # type: ignore[union-attr]
        "execution.running",
        "execution.succeeded",
    ]


async def test_a_value_of_a_parameter_is_a_name_and_never_a_label_that_is_set(plumber: Plumber) -> None:
    await _fleet(plumber)
    source = "name: t\nparams: {host: {}}\non: '${{ params.host }} and env=test'\nsteps: [{name: one, run: 'true'}]"
    await plumber.tasks.apply(source=source)
    with pytest.raises(NobodyMatches, match="canary and env=test"):
        await plumber.tasks.plan(task="t", parameters={"host": "canary"})
    plan = await plumber.tasks.plan(task="t", parameters={"host": "web-2"})
    assert [host.name for host in plan.steps[0].hosts] == ["web-2"]
