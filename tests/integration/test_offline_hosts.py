"""Offline is a state: hosts that are not there fail, are skipped or are waited for, as the task says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.absence import miss_absent
from plumber_core.model.offline import Offline
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.model.views import ExecutionDetail
from support.absence import absent, let_silence_last
from support.embedded import show, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

ONE, TWO = Step(name="one", run="1"), Step(name="two", run="2")


async def begin(plumber: Plumber, offline: Any, *steps: Step) -> str:
    task = Task(name="test", on="all", offline=offline, steps=steps or (ONE, TWO))
    begun = await plumber.executions.start(source=json.dumps(task.definition()), format="json")
    return begun.id


async def work_off(agent: ScriptedAgent, *names: str) -> None:
    """Carry out the steps with these names; each may ride on the answer to the last."""
    following = None
    for name in names:
        taken = following or await agent.take()
        assert taken.spec.step == name
        following = (await agent.report(taken.attempt)).next


async def ended(plumber: Plumber, execution: str) -> ExecutionDetail:
    await wait_until(lambda: _over(plumber, execution))
    return await show(plumber, execution)


async def _over(plumber: Plumber, execution: str) -> bool:
    """Say whether it has ended, after a look at who is absent, which a leader does every few seconds."""
    await miss_absent(plumber._engine)
    return (await show(plumber, execution)).ended_at is not None


async def test_a_skipped_host_is_out_and_the_others_go_on(plumber: Plumber) -> None:
    there = await ScriptedAgent.create(plumber, "a")
    await absent(plumber, "b")
    await let_silence_last(plumber)
    await there.beat()
    execution = await begin(plumber, "skip")
    await work_off(there, "one", "two")
    detail = await ended(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert [step.state for step in detail.steps] == ["succeeded", "skipped", "succeeded", "skipped"]
    assert [step.cause for step in detail.steps] == [None, {"code": "missed_never"}, None, None]


async def test_with_fail_an_offline_host_has_failed_at_once(plumber: Plumber) -> None:
    there = await ScriptedAgent.create(plumber, "a")
    await absent(plumber, "b")
    await let_silence_last(plumber)
    execution = await begin(plumber, "fail")
    await work_off(there, "one")
    detail = await ended(plumber, execution)
    assert detail.state == "failed"
    assert await states(plumber, execution) == ["succeeded", "expired", "skipped", "skipped"]


async def test_a_queued_step_is_delivered_once_on_return(plumber: Plumber) -> None:
    there, late = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    await late.disconnect()
    execution = await begin(plumber, "queue 24h", ONE)
    await work_off(there, "one")
    await let_silence_last(plumber)
    await miss_absent(plumber._engine)
    step = (await show(plumber, execution)).steps[1]
    assert step.state == "ready" and step.waiting is not None
    assert (step.waiting["code"], step.waiting["agent"]) == ("agent_offline_until", "b")
    await late.connect()
    await work_off(late, "one")
    await miss_absent(plumber._engine)
    assert late.inbox.empty() and (await ended(plumber, execution)).state == "succeeded"


async def test_a_queued_step_is_missed_at_expiry_and_not_delivered_any_more(plumber: Plumber) -> None:
    there, late = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    await late.disconnect()
    execution = await begin(plumber, Offline(policy="queue 1h", quorum="50%"))
    await miss_absent(plumber._engine)
    await let_silence_last(plumber)
    await miss_absent(plumber._engine)
    await work_off(there, "one", "two")
    detail = await ended(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert await states(plumber, execution) == ["succeeded", "expired", "succeeded", "skipped"]
    assert detail.steps[1].cause is not None and detail.steps[1].cause["code"] == "missed"
    await late.connect()
    assert late.inbox.empty()
    told = await plumber._engine.store.events_after("0.0", execution, 100)
    [event] = [event for event in told if event.kind == "step.expired"]
    assert (event.data["error"], event.data["skipped"]) == ("agent_offline", [1])


@pytest.mark.parametrize(("quorum", "state"), [("66%", "succeeded"), ("67%", "failed")])
async def test_a_quorum_decides_the_result(plumber: Plumber, quorum: str, state: str) -> None:
    there = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    await absent(plumber, "c")
    await let_silence_last(plumber)
    execution = await begin(plumber, Offline(policy="skip", quorum=quorum), ONE)
    for agent in there:
        await work_off(agent, "one")
    detail = await ended(plumber, execution)
    assert detail.state == state
    if state == "failed":
        needs = {"step": "one", "there": 2, "hosts": 3, "needed": 3}
        assert detail.problem == {"code": "too_few_hosts", "arguments": needs}


async def test_nobody_there_is_no_success(plumber: Plumber) -> None:
    for name in ("a", "b"):
        await absent(plumber, name)
    await let_silence_last(plumber)
    execution = await begin(plumber, "skip")
    detail = await ended(plumber, execution)
    assert detail.state == "failed" and detail.problem is not None
    assert detail.problem["code"] == "too_few_hosts"


async def test_a_host_that_is_busy_or_silent_for_a_moment_is_not_offline(plumber: Plumber) -> None:
    there = await ScriptedAgent.create(plumber, "a")
    await absent(plumber, "b")
    execution = await begin(plumber, "fail", ONE)
    await miss_absent(plumber._engine)
    assert (await states(plumber, execution))[1] == "ready"
    await work_off(there, "one")


async def test_batches_and_gates_go_on_without_the_host(plumber: Plumber) -> None:
    there = [await ScriptedAgent.create(plumber, name) for name in ("a", "c")]
    await absent(plumber, "b")
    await let_silence_last(plumber)
    rollout = Rollout(batches="2 100%", gate=Gate(name="gate", run="gate"), pause="10ms")
    block = Step(name="roll out", steps=(ONE, TWO), rollout=rollout)
    execution = await begin(plumber, "skip", block, Step(name="after", run="after"))
    await work_off(there[0], "one", "two")
    await work_off(there[0], "gate")
    await work_off(there[1], "one", "two", "gate", "after")
    await work_off(there[0], "after")
    detail = await ended(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert [step.state for step in detail.steps if step.host_name == "b"] == ["skipped"] * 4


async def test_a_cancel_ends_what_is_waited_for(plumber: Plumber) -> None:
    await absent(plumber, "a")
    execution = await begin(plumber, "queue 24h")
    await plumber.executions.cancel(execution=execution)
    await let_silence_last(plumber)
    await miss_absent(plumber._engine)
    assert await states(plumber, execution) == ["cancelled", "cancelled"]


async def test_a_plan_and_its_hash_know_the_policy(plumber: Plumber) -> None:
    await absent(plumber, "a")
    hashes = set()
    for offline in (None, "skip", "queue 1h", "queue 2h"):
        task = Task(name="same", on="all", offline=offline, steps=(ONE,))
        await plumber.tasks.apply(source=json.dumps(task.definition()), format="json")
        hashes.add((await plumber.tasks.plan(task="same", revision=None)).hash)
    assert len(hashes) == 4


async def test_why_a_ready_step_waits(plumber: Plumber) -> None:
    await absent(plumber, "never")
    gone = await ScriptedAgent.create(plumber, "gone")
    await gone.disconnect()
    await absent(plumber, "off")
    execution = await begin(plumber, None, ONE)
    await plumber.agents.disable(agent="off")
    detail = await show(plumber, execution)
    told = {step.host_name: step.waiting for step in detail.steps}
    codes = {name: reason and reason["code"] for name, reason in told.items()}
    assert codes == {"gone": "agent_offline", "never": "agent_never", "off": "agent_disabled"}
    assert told["gone"] is not None and told["gone"]["since"] <= (detail.created_at + timedelta(seconds=1)).isoformat()


async def test_why_a_connected_agent_takes_nothing(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    blocks = [await begin(plumber, None, ONE) for _ in range(9)]
    [last] = (await show(plumber, blocks[-1])).steps
    assert last.waiting == {"code": "no_free_slot", "agent": "a", "agent_id": agent.config.id, "running": 8, "slots": 8}
    await plumber.agents.drain(agent="a")
    [last] = (await show(plumber, blocks[-1])).steps
    assert last.waiting is not None and last.waiting["code"] == "agent_draining"
