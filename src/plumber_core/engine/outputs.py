"""The outputs of earlier steps that a step's templates ask for; without any, nothing is read."""

from __future__ import annotations

from plumber_core.model.plan import Plan
from plumber_core.ports import Store

Outputs = dict[str, dict[str, dict[str, str]]]
"""Step name -> host -> key -> value."""


class OutputsOf:
    """Reads for step number ``step``; ``just_set`` are those that the write under way is about to store."""

    def __init__(self, store: Store, plan: Plan, execution: str, step: int, just_set: Outputs) -> None:
        self.plan = plan
        self.execution = execution
        self.step = step
        self._store = store
        self._just_set = just_set
        planned = plan.steps[step]
        names = set(planned.needs_outputs)
        self._wanted = [index for index, one in enumerate(plan.steps) if one.name in names] if names else []
        self._everywhere = set(planned.needs_hosts)

    async def all(self) -> Outputs:
        """Return those of all hosts."""
        return await self._read(self._wanted, [], "")

    async def of(self, host: str) -> Outputs:
        """Return what one host can see: its own, those of steps on one host, and those that are asked for by host."""
        whole = [index for index in self._wanted if self._is_read_whole(index)]
        return await self._read(whole, [index for index in self._wanted if index not in whole], host)

    def _is_read_whole(self, index: int) -> bool:
        return (
            self.plan.steps[index].name in self._everywhere
            or self.plan.host_count(index) <= 1
            or bool(self.plan.pool_of(index))
        )

    async def _read(self, whole: list[int], own: list[int], host: str) -> Outputs:
        steps = self.plan.steps
        found: Outputs = {steps[index].name: dict(self._just_set.get(steps[index].name, {})) for index in self._wanted}
        rows = await self._store.outputs(self.execution, whole) if whole else []
        rows += await self._store.outputs(self.execution, own, host) if own else []
        for index, agent, outputs in rows:
            found[steps[index].name][agent] = outputs
        return found
