"""Hosts that carry out blocks by hand, and what is asked about rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.model.task import Rollout, Step
from plumber_core.model.views import ExecutionDetail
from plumber_core.protocol.messages import Assignment
from plumber_core.storage import tables as t
from support.scripted_agent import ScriptedAgent

LATER = 10_000_000_000
"""Microseconds by which tests let time pass in the database."""


@dataclass
class Host(ScriptedAgent):
    """What follows on the same host rides on the answer to a report."""

    following: Assignment | None = None

    async def work(self, *ends: str, **outputs: str) -> None:
        """Carry out as many steps as there are ends."""
        for end in ends:
            taken, self.following = self.following or await self.take(), None
            code = 0 if end == "succeeded" else 1
            answer = await self.report(taken.attempt, state=end, exit_code=code, outputs=outputs)
            self.following = answer.next

    @property
    def idle(self) -> bool:
        """Whether it was given nothing."""
        return self.following is None and self.inbox.empty()


async def fleet(plumber: Plumber, count: int, **labels: str) -> list[Host]:
    return [await Host.create(plumber, f"h{number}", **labels) for number in range(count)]


def block(*names: str, **rollout: Any) -> Step:
    inner = tuple(Step(name=name, run=name) for name in names)
    return Step(name="roll out", steps=inner, rollout=Rollout(**rollout) if rollout else None)


def by_step(detail: ExecutionDetail) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in detail.steps:
        found.setdefault(step.step, []).append(step.state.value)
    return found


async def kinds(plumber: Plumber, execution: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what the event log tells of batches and gates."""
    rows = await plumber._engine.store.events_after("0.0", execution, 500)
    return [(row.kind, row.data) for row in rows if row.kind.split(".")[0] in ("batch", "gate")]


async def let_pauses_end(plumber: Plumber) -> None:
    moved = update(t.progress).values(opens_at=t.progress.c.opens_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(moved) and None)


def states_of(detail: ExecutionDetail) -> list[str]:
    return [batch.state for batch in detail.rollouts[0].batches]
