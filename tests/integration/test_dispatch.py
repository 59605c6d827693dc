"""Ordered steps over scripted agents, on both databases: what is handed out, when, and what follows."""

from __future__ import annotations

import asyncio

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import InvalidRequest, NobodyMatches
from plumber_core.model.task import Step
from plumber_core.protocol.messages import Assignment
from support.embedded import show, start, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until


async def test_steps_of_one_host_come_one_after_the_other_and_each_rides_on_the_reply(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"), Step(name="two", run="2"), Step(name="three", run="3"))
    first = await agent.take()
    assert first.spec.step == "one" and first.permit
    second = (await agent.report(first.attempt)).next
    assert second is not None and second.spec.params["run"] == "2"
    assert await states(plumber, execution) == ["succeeded", "running", "blocked"]
    third = (await agent.report(second.attempt)).next
    assert third is not None
    assert (await agent.report(third.attempt)).next is None
    assert (await show(plumber, execution)).state == "succeeded"
    assert agent.inbox.empty()


async def test_a_step_on_several_hosts_ends_before_the_next_begins(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b", "c")]
    execution = await start(plumber, Step(name="one", run="1"), Step(name="two", run="2"), on="role=web")
    first = [await agent.take() for agent in agents]
    for agent, assignment in zip(agents[:2], first[:2], strict=True):
        assert (await agent.report(assignment.attempt)).next is None
    assert (await states(plumber, execution))[3:] == ["blocked"] * 3
    last = await agents[2].report(first[2].attempt)
    assert last.next is not None and last.next.spec.step == "two"
    assert [(await agent.take()).spec.step for agent in agents[:2]] == ["two", "two"]


async def test_a_failure_on_one_host_stops_before_the_next_step_but_not_its_neighbours(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    execution = await start(plumber, Step(name="one", run="1"), Step(name="two", run="2"))
    first = [await agent.take() for agent in agents]
    await agents[0].report(first[0].attempt, state="failed", exit_code=3)
    assert (await show(plumber, execution)).state == "running"
    await agents[1].report(first[1].attempt)
    detail = await show(plumber, execution)
    assert detail.state == "failed"
    assert await states(plumber, execution) == ["failed", "succeeded", "skipped", "skipped"]
    assert detail.steps[0].attempts[0].exit_code == 3


async def test_on_failure_continue_succeeds_with_a_warning(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1", on_failure="continue"), Step(name="two", run="2"))
    following = (await agent.report((await agent.take()).attempt, state="failed", exit_code=1)).next
    assert following is not None
    await agent.report(following.attempt)
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)


async def test_outputs_reach_a_later_step_as_environment(plumber: Plumber) -> None:
    builder = await ScriptedAgent.create(plumber, "builder")
    other = await ScriptedAgent.create(plumber, "other")
    await start(
        plumber,
        Step(name="build it", run="1", on="builder"),
        Step(name="use", run="2", on="other", env={"V": '${{ steps["build it"].outputs.version }}'}),
    )
    await builder.report((await builder.take()).attempt, outputs={"version": "v7 'quoted'"})
    assert (await other.take()).spec.env["V"] == "v7 'quoted'"


async def test_a_missing_output_fails_the_execution_and_says_which(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    step = Step(name="use", run="2", env={"V": "${{ steps.one.outputs.nothing }}"})
    execution = await start(plumber, Step(name="one", run="1"), step)
    await agent.report((await agent.take()).attempt)
    detail = await show(plumber, execution)
    assert detail.state == "failed" and await states(plumber, execution) == ["succeeded", "skipped"]
    assert detail.problem is not None and detail.problem["arguments"]["step"] == "use"


async def test_an_agent_holds_no_more_than_its_slots_and_gets_the_next_when_one_is_free(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="small")
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect(slots=2)
    executions = [await start(plumber, Step(name="one", run=str(n))) for n in range(4)]
    first, second = await agent.take(), await agent.take()
    assert agent.inbox.empty()
    assert sorted([(await states(plumber, x))[0] for x in executions]) == ["ready", "ready", "running", "running"]
    await agent.report(first.attempt)
    third = await agent.take()
    await agent.report(second.attempt)
    fourth = await agent.take()
    assert len({first.attempt, second.attempt, third.attempt, fourth.attempt}) == 4


async def test_a_full_agent_goes_on_with_its_execution_in_the_same_slot(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="small")
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect(slots=1)
    first, second = [await start(plumber, Step(name="one", run="1"), Step(name="two", run="2")) for _ in range(2)]
    following = (await agent.report((await agent.take()).attempt)).next
    assert following is not None and following.attempt.startswith(first)
    assert agent.inbox.empty() and await states(plumber, second) == ["ready", "blocked"]
    assert (await agent.report(following.attempt)).next is None
    assert (await agent.take()).attempt.startswith(second)


async def test_a_lane_whose_turn_is_over_lets_the_waiting_ones_go_first(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumber_core.engine.connections.TURN", 0.0)
    created = await plumber.agents.create(name="small")
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect(slots=1)
    first, second = [await start(plumber, Step(name="one", run="1"), Step(name="two", run="2")) for _ in range(2)]
    assert (await agent.report((await agent.take()).attempt)).next is None
    assert (await agent.take()).attempt.startswith(second)
    assert agent.inbox.empty() and await states(plumber, first) == ["succeeded", "ready"]


async def test_a_step_waits_for_its_agent_and_is_pushed_when_it_comes(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="late")
    execution = await start(plumber, Step(name="one", run="1"))
    assert await states(plumber, execution) == ["ready"]
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect()
    assert (await agent.take()).spec.step == "one"
    assert plumber.metrics()["plumber_assigned_by_hello_total"] == 1


async def test_fifty_hosts_report_at_once_and_the_next_step_starts_once(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, f"a{n:02}") for n in range(50)]
    execution = await start(plumber, Step(name="one", run="1"), Step(name="two", run="2"))
    first = [await agent.take() for agent in agents]
    replies = await asyncio.gather(*(a.report(t.attempt) for a, t in zip(agents, first, strict=True)))
    [rode] = [reply.next for reply in replies if reply.next is not None]
    pushed = [await agent.take() for agent in agents if rode.attempt not in agent.held]
    assert len({rode.attempt, *(assignment.attempt for assignment in pushed)}) == 50
    assert all(agent.inbox.empty() for agent in agents)
    assert (await show(plumber, execution)).counts == {"succeeded": 50, "running": 50}


async def test_the_same_request_id_starts_one_execution(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "a")
    ids = [await start(plumber, Step(name="one", run="1"), request_id="r-1") for _ in range(3)]
    assert len(set(ids)) == 1


async def test_nobody_matching_is_an_error_that_starts_nothing(plumber: Plumber) -> None:
    with pytest.raises(NobodyMatches) as caught:
        await start(plumber, Step(name="one", run="1"), on="role=db")
    assert caught.value.arguments["target"] == "role=db"
    assert (await plumber.executions.list()).items == []


async def test_missing_and_ill_typed_parameters_name_their_field(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "a")
    source = "name: t\non: all\nparams: {n: {type: int, required: true}}\nsteps: [{name: s, run: 'true'}]"
    await plumber.tasks.apply(source=source)
    for given in ({}, {"n": "many"}, {"n": 1, "other": 2}):
        with pytest.raises(InvalidRequest) as caught:
            await plumber.tasks.run(task="t", parameters=given)
        assert caught.value.arguments["field"].startswith("parameters.")
    begun = await plumber.tasks.run(task="t", parameters={"n": "5"})
    assert (await show(plumber, begun.id)).parameters == {"n": 5}


async def test_a_task_saved_meanwhile_is_run_in_its_newest_revision(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source="name: t\non: all\nsteps: [{name: s, run: old}]")
    await plumber.tasks.run(task="t")
    assert (await agent.take()).spec.params["run"] == "old"
    await plumber.tasks.apply(source="name: t\non: all\nsteps: [{name: s, run: new}]")
    begun = await plumber.tasks.run(task="t")
    assert (await agent.take()).spec.params["run"] == "new"
    assert begun.revision == 2


async def test_a_disabled_agent_is_no_target_and_a_draining_one_gets_nothing_new(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.agents.drain(agent="a")
    execution = await start(plumber, Step(name="one", run="1"))
    assert await states(plumber, execution) == ["ready"]
    await plumber.agents.activate(agent="a")
    await agent.beat()
    assert isinstance(await agent.next(), Assignment)
    await plumber.agents.disable(agent="a")
    with pytest.raises(NobodyMatches):
        await start(plumber, Step(name="one", run="1"))


async def test_the_history_lists_twenty_by_default_and_any_number_by_page(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "a")
    ids = [await start(plumber, Step(name="one", run="1")) for _ in range(25)]
    page = await plumber.executions.list()
    assert [item.id for item in page.items] == ids[:4:-1] and len(page.items) == 20
    rest = await plumber.executions.list(cursor=page.next)
    assert [item.id for item in rest.items] == ids[4::-1] and rest.next is None


async def test_events_tell_the_whole_story_in_order_without_a_repeat(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"))
    told: list[str] = []

    async def listen() -> None:
        async for event in plumber.follow(execution=execution, after="0.0"):
            told.append(getattr(event, "kind", "log"))

    listener = asyncio.create_task(listen())
    await agent.report((await agent.take()).attempt, b"hello\n")
    await wait_until(lambda: "execution.succeeded" in told)
    listener.cancel()
    # While the agent is asked for what waits, a new step is ready for a moment before it runs.
    assert [kind for kind in told if kind not in ("log", "step.ready")] == [
        "execution.running",
        "step.running",
        "step.succeeded",
        "execution.succeeded",
    ]
