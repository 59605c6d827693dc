"""Pictures for pages: an execution as hosts x steps, its groups, its logs; the overview; who matches."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine import submit
from plumber_core.errors import InvalidRequest, NotFound
from plumber_core.model.plan import Plan, Stage
from plumber_core.model.task import Step
from plumber_core.planning.expand import expand
from support.embedded import start
from support.scripted_agent import ScriptedAgent

GREETING, COMPLAINT = b"hello\n", b"\x1b[31mno space left\x1b[0m\n"


@pytest.fixture
def hello() -> list[Step]:
    """Two steps."""
    return [Step(name="first", run="echo hello"), Step(name="second", run="echo again")]


async def _ended(plumber: Plumber, agents: list[ScriptedAgent], outputs: list[bytes], **outcome: object) -> str:
    """Run one step on every agent, each with its own output."""
    execution = await start(plumber, Step(name="only", run="true"))
    for agent, output in zip(agents, outputs, strict=True):
        taken = await agent.take()
        await agent.report(taken.attempt, output, **outcome)
    return execution


async def test_a_matrix_shows_every_step_on_every_host(plumber: Plumber, hello: list[Step]) -> None:
    one, two = [await ScriptedAgent.create(plumber, name) for name in ("one", "two")]
    execution = await start(plumber, *hello)
    taken = await one.take()
    await one.report(taken.attempt, GREETING)
    matrix = await plumber.executions.matrix(execution=execution)
    assert [host.name for host in matrix.hosts] == ["one", "two"]
    assert [step.name for step in matrix.steps] == ["first", "second"]
    shown = [[matrix.state_names[state].value for state in column] for column in matrix.states]
    assert shown == [["succeeded", "running"], ["blocked", "blocked"]]
    assert matrix.exit_codes[0] == [0, None]
    assert matrix.ended[0][0] is not None and matrix.ended[0][1] is None
    assert matrix.steps[0].counts == {"running": 1, "succeeded": 1}
    assert matrix.counts == {"blocked": 2, "running": 1, "succeeded": 1}
    assert two.held == {}


async def test_events_go_on_from_where_the_matrix_ends(plumber: Plumber, hello: list[Step]) -> None:
    agent = await ScriptedAgent.create(plumber, "one")
    execution = await start(plumber, *hello)
    taken = await agent.take()
    cursor = (await plumber.executions.matrix(execution=execution)).event
    await agent.report(taken.attempt)
    following = plumber.follow(execution=execution, after=cursor)
    kinds = [(await anext(following)).kind for _ in range(2)]  # type: ignore[union-attr]
    assert kinds == ["step.succeeded", "step.running"]


async def test_a_step_tells_its_definition_attempts_and_what_people_did(plumber: Plumber, hello: list[Step]) -> None:
    agent = await ScriptedAgent.create(plumber, "one")
    execution = await start(plumber, *hello)
    taken = await agent.take()
    await plumber.executions.cancel(execution=execution, reason="wrong version")
    record = await plumber.executions.step(execution=execution, step=0, host="one")
    assert record.definition["name"] == "first" and record.host == agent.config.id
    assert [attempt.id for attempt in record.rounds[0].attempts] == [taken.attempt]
    assert record.operations[-1].data["reason"] == "wrong version"
    with pytest.raises(NotFound):
        await plumber.executions.step(execution=execution, step=7, host="one")
    with pytest.raises(NotFound):
        await plumber.executions.step(execution=execution, step=0, host="nobody")


async def test_equal_outputs_stand_together_and_the_odd_one_first(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, f"web-{number}") for number in range(3)]
    execution = await start(plumber, Step(name="only", run="true"))
    for agent, output in zip(agents, [GREETING, COMPLAINT, GREETING], strict=True):
        taken = await agent.take()
        failed = {"state": "failed", "exit_code": 1} if output == COMPLAINT else {}
        await agent.report(taken.attempt, output, sha256_stdout=hashlib.sha256(output).hexdigest(), **failed)
    odd, most = (await plumber.executions.groups(execution=execution, step=0)).groups
    assert (odd.state.value, odd.exit_code, odd.hosts) == ("failed", 1, [agents[1].config.id])
    assert odd.last_line == "no space left"
    assert most.hosts == [agents[0].config.id, agents[2].config.id]
    assert most.last_line == "hello"


async def test_logs_name_the_newest_attempts(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name) for name in ("one", "two")]
    execution = await _ended(plumber, agents, [GREETING, COMPLAINT])
    sources = await plumber.executions.logs(execution=execution, step=0)
    assert sorted(source.host_name for source in sources) == ["one", "two"]
    assert all(source.log_end > 0 for source in sources)
    [only] = await plumber.executions.logs(execution=execution, hosts=[agents[1].config.id])
    assert only.host_name == "two"


async def test_an_overview_tells_what_runs_and_what_failed(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "one")
    failed = await _ended(plumber, [agent], [b""], state="failed", exit_code=1)
    running = await start(plumber, Step(name="only", run="true"))
    overview = await plumber.system.overview()
    assert [one.id for one in overview.running] == [running]
    assert overview.running[0].counts == {"running": 1}
    assert [one.id for one in overview.failed] == [failed]
    assert overview.fleet.by_presence == {"online": 1} and overview.executions == 2
    later = await plumber.system.overview(failed_since="2999-01-01T00:00:00Z")
    assert later.failed == []
    with pytest.raises(InvalidRequest):
        await plumber.system.overview(failed_since="yesterday")


async def test_a_match_counts_who_could_run_a_step(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "web-1", role="web")
    await plumber.agents.create(name="web-2", labels={"role": "web"})
    await plumber.agents.create(name="db-1", labels={"role": "db"})
    await plumber.agents.create(name="web-3", labels={"role": "web"})
    await plumber.agents.disable(agent="web-3")
    match = await plumber.agents.match(on="role=web")
    assert (match.total, match.online, match.names, match.offline_names) == (2, 1, ["web-1", "web-2"], ["web-2"])
    with pytest.raises(InvalidRequest):
        await plumber.agents.match(on="role=(")


async def test_a_task_in_a_list_tells_its_last_results(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "one")
    source = '{"name": "deploy", "on": "all", "steps": [{"name": "only", "run": "true", "on": "one"}]}'
    await plumber.tasks.apply(source=source, format="json")
    for state in ("failed", "succeeded"):
        await plumber.tasks.run(task="deploy")
        taken = await agent.take()
        await agent.report(taken.attempt, state=state, exit_code=0 if state == "succeeded" else 1)
    [task] = (await plumber.tasks.list()).items
    assert [one.state.value for one in task.recent] == ["failed", "succeeded"]
    assert task.usual_duration == task.recent[1].duration
    assert task.targets == "all, one"


async def test_executors_tell_their_parameters(plumber: Plumber) -> None:
    kinds = {one.kind: one for one in await plumber.executors.list()}
    assert kinds["shell"].here and kinds["shell"].params["type"] == "object"


async def test_a_failure_names_the_steps_that_it_skips(
    plumber: Plumber, hello: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page changes these cells too: they have no event of their own. A block's steps are one stage."""

    def one_stage(*args: Any, **values: Any) -> Plan:
        plan = expand(*args, **values)
        return dataclasses.replace(plan, stages=(Stage((0, 1), plan.stages[0].hosts),))

    monkeypatch.setattr(submit, "expand", one_stage)
    one, two = [await ScriptedAgent.create(plumber, name) for name in ("one", "two")]
    execution = await start(plumber, *hello)
    taken = await one.take()
    cursor = (await plumber.executions.matrix(execution=execution)).event
    await one.report(taken.attempt, state="failed", exit_code=1)
    event = await anext(plumber.follow(execution=execution, after=cursor))  # type: ignore[call-overload]
    assert event.kind == "step.failed" and event.data["skipped"] == [1]
    matrix = await plumber.executions.matrix(execution=execution)
    assert matrix.state_names[matrix.states[1][0]].value == "skipped"
    assert two.held == {}
