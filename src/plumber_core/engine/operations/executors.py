"""``executor.*``."""

from __future__ import annotations

import builtins

from plumber_core.engine.operations.base import Noun
from plumber_core.model.overviews import ExecutorView


class ExecutorOperations(Noun):
    """Implements ``control.nouns.Executors``."""

    async def list(self) -> builtins.list[ExecutorView]:
        await self.desk.allow("executor:list")
        found = {
            kind: ExecutorView(
                kind=kind, summary=executor.describe(), params=executor.Params.model_json_schema(), agents=0, here=True
            )
            for kind, executor in self.desk.plugins.executors.items()
        }
        _, agents = await self.store.list_agents()
        for announced in (one for agent in agents for one in agent.executors):
            kind = str(announced.get("kind", ""))
            known = found.get(kind) or ExecutorView(
                kind=kind,
                summary=str(announced.get("summary", "")),
                params=announced.get("schema") or {},
                agents=0,
                here=False,
            )
            found[kind] = known.model_copy(update={"agents": known.agents + 1})
        return sorted(found.values(), key=lambda one: one.kind)
