"""From a rollout and the hosts of its block to batches: who is in which, in which order, and how many may fail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from plumber_core.model.agent import AgentRef
from plumber_core.model.batches import Share, parse_amount, parse_batches, sizes_of
from plumber_core.model.plan import Batch, Stage
from plumber_core.model.rollout import ByLabel, MaxFailures
from plumber_core.model.task import Rollout

_PARTS = re.compile(r"(\d+)")


class GateAt(NamedTuple):
    """Where a gate runs: step ``step`` of the plan on ``hosts``, or on whoever is free in ``pool``."""

    step: int
    hosts: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()


class Block(NamedTuple):
    """A block by its name: the ``chain`` of its steps, and how it is rolled out.

    ``gate`` returns where the gate of a batch runs, by the batch's number and the index of its stage; without hosts it
    runs on those of the batch.
    """

    name: str
    chain: tuple[int, ...]
    rollout: Rollout
    gate: Callable[[int, int], GateAt] | None = None


def seed_of(*parts: Any) -> str:
    """Return what shuffles the hosts of a block: the same for the same parts, so that a plan and its run agree."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def in_order(agents: Sequence[AgentRef], rollout: Rollout, seed: str) -> list[AgentRef]:
    """Return agents, which come by name, as the rollout wants them."""
    if rollout.order == "random":
        return sorted(agents, key=lambda agent: hashlib.sha256(f"{seed}{agent.id}".encode()).digest())
    if isinstance(rollout.order, ByLabel):
        label = rollout.order.label
        return sorted(agents, key=lambda agent: _label_key(agent.label(label)))
    return list(agents)


def _label_key(value: str | None) -> tuple[bool, list[tuple[int, str]]]:
    """Numbers in a value count as numbers: rack 9 before rack 10."""
    if value is None or value == "false":
        return True, []
    return False, [(int(part), "") if part.isdecimal() else (-1, part) for part in _PARTS.split(value)]


def stages_of(block: Block, agents: Sequence[AgentRef], first: int) -> Iterator[Stage]:
    """Yield the stages of a block whose first one is number ``first`` of the plan: batches, each with its gate."""
    rollout, hosts = block.rollout, iter(agent.id for agent in agents)
    sizes = list(sizes_of(parse_batches(rollout.batches), len(agents)))
    in_all, in_batch = _most(rollout)
    most_in_all = _amount(in_all, len(agents))
    stage, lane = first, 0
    for number, size in enumerate(sizes, 1):
        pause = None if number == 1 or block.gate is not None else rollout.pause
        batch = Batch(block.name, number, len(sizes), _amount(in_batch, size), most_in_all, pause)
        here = tuple(islice(hosts, size))
        yield Stage(block.chain, here, first_lane=lane, batch=batch)
        stage += 1
        if block.gate is not None:
            # The last gate guards no batch, so nothing comes between it and its batch.
            pause = rollout.pause if number < len(sizes) else None
            yield _gate_stage(block.gate(number, stage), here, lane, Batch(block.name, number, len(sizes), pause=pause))
            stage += 1
        lane += size


def with_rollout(stage: Stage, rollout: Rollout, hosts: int) -> Stage:
    """Return a batch or gate, of a block on so many hosts, with the limits and the pause of another rollout."""
    batch = stage.batch
    assert batch is not None
    if batch.gate:
        return replace(stage, batch=replace(batch, pause=rollout.pause if batch.number < batch.count else None))
    in_all, in_batch = _most(rollout)
    pause = None if batch.begins or rollout.gate is not None else rollout.pause
    most, most_in_all = _amount(in_batch, len(stage.hosts)), _amount(in_all, hosts)
    return replace(stage, batch=replace(batch, pause=pause, most_failed=most, most_in_all=most_in_all))


def _gate_stage(at: GateAt, batch_hosts: tuple[str, ...], lane: int, batch: Batch) -> Stage:
    own = bool(at.hosts)
    batch = Batch(batch.block, batch.number, batch.count, 0, 0, batch.pause, gate=True, own=own)
    return Stage((at.step,), at.hosts or batch_hosts, at.pool, 0 if own else lane, batch)


def _most(rollout: Rollout) -> tuple[Any, Any]:
    written = rollout.max_failures
    return (written.total, written.batch) if isinstance(written, MaxFailures) else (written, None)


def _amount(written: Any, hosts: int) -> int | None:
    """Return how many of ``hosts`` may fail; a share is rounded down, so that no more than it do."""
    amount = None if written is None else parse_amount(written)
    return amount.down(hosts) if isinstance(amount, Share) else amount
