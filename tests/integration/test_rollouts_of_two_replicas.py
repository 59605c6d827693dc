"""Reports of one rollout that arrive at two servers at once: neither counts past the other."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from plumber_core.app import Plumber
from plumber_core.model.states import StepState
from plumber_core.model.task import Gate, Rollout, Step
from plumber_core.model.views import ExecutionDetail
from support.embedded import show, start
from support.rollouts import Host

HOSTS = 12


async def _work(host: Host, chance: random.Random, share: float) -> None:
    """Carry out whatever comes until cancelled; some of it fails."""
    while True:
        if host.idle:
            host.inbox.put_nowait(await host.next(60))
        await host.work("failed" if chance.random() < share else "succeeded")


async def _carried_out(one: Plumber, other: Plumber, rollout: Rollout, seed: int) -> ExecutionDetail:
    chance = random.Random(seed)
    hosts = [await Host.create((one, other)[n % 2], f"h{n:02}") for n in range(HOSTS)]
    steps = (Step(name="one", run="one"), Step(name="two", run="two"))
    execution = await start(one, Step(name="b", steps=steps, rollout=rollout), Step(name="after", run="after"))
    workers = [asyncio.create_task(_work(host, random.Random(chance.random()), 0.12)) for host in hosts]
    try:
        async with asyncio.timeout(60):
            await one.wait(execution)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return await show(other, execution)


@pytest.mark.parametrize("seed", range(4))
async def test_two_servers_agree_where_a_rollout_stops(postgres_url: str, seed: int) -> None:
    gate = Gate(name="gate", run="gate") if seed % 2 else None
    rollout = Rollout(batches="2 *2", max_failures=2, pause="10ms" if seed > 1 else None, gate=gate)
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as other:
        detail = await _carried_out(one, other, rollout, seed)
        progress, counts = await one._engine.store.stages(detail.id)
    assert detail.state in ("succeeded", "failed")
    assert all(step.state in ("succeeded", "failed", "skipped") for step in detail.steps)
    failed = Counter(step.step for step in detail.steps if step.state == "failed")
    hosts_failed = failed["one"] + failed["two"]
    batches = detail.rollouts[0].batches
    assert sum(batch.failed for batch in batches) == hosts_failed
    stopped = [batch.number for batch in batches if batch.state == "stopped"]
    if hosts_failed > 2 or failed["gate"]:
        assert (detail.state, len(stopped)) == ("failed", 1)
        assert all(batch.state == "skipped" for batch in batches[stopped[0] :])
        assert hosts_failed <= 2 + batches[stopped[0] - 1].hosts
    else:
        assert (stopped, detail.warnings if detail.state == "succeeded" else hosts_failed) == ([], hosts_failed)
    begun = [row for row in progress if not counts[row.stage][StepState.SKIPPED]]
    assert begun and all(row.remaining == 0 for row in begun)


async def _two(one: Plumber, other: Plumber, rollout: Rollout, *names: str) -> tuple[str, list[Host]]:
    """Start a rollout over hosts of which the last is connected to the other server, which remembers its beginning."""
    hosts = [await Host.create(other if name == names[-1] else one, name) for name in names]
    execution = await start(one, Step(name="one", run="one", rollout=rollout))
    await other._engine.executions.get(execution)
    return execution, hosts


async def test_failures_of_earlier_batches_count_where_nobody_has_seen_them(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as other:
        rollout = Rollout(batches="2 1 100%", max_failures=2)
        execution, hosts = await _two(one, other, rollout, "a", "b", "z", "y")
        for host in hosts[:2]:
            await host.work("failed")
        # By name, y is before z.
        await hosts[3].work("failed")
        detail = await show(one, execution)
    assert (detail.state, [batch.state for batch in detail.rollouts[0].batches]) == (
        "failed",
        ["passed", "stopped", "skipped"],
    )


async def test_a_failure_that_nobody_has_seen_counts_in_the_same_batch(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as other:
        away = await Host.create(one, "away")
        await away.disconnect()
        rollout = Rollout(batches="100%", max_failures=1)
        execution, hosts = await _two(one, other, rollout, "a", "b", "y")
        await hosts[0].work("failed")
        await hosts[2].work("failed")
        states = {step.host_name: step.state for step in (await show(one, execution)).steps}
        assert states == {"a": "failed", "y": "failed", "b": "running", "away": "skipped"}
        await hosts[1].work("succeeded")
        assert (await show(other, execution)).state == "failed"
