"""``executor.*``."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

from plumber_core.engine.operations.base import Desk, Noun
from plumber_core.model.overviews import ExecutorView
from plumber_core.planning.rules_executors import Kinds


class ExecutorOperations(Noun):
    """Implements ``control.nouns.Executors``."""

    async def list(self) -> builtins.list[ExecutorView]:
        await self.desk.allow("executor:list")
        schemas, own = await asyncio.to_thread(_own_schemas, self.desk), self.desk.plugins.executors
        found = {
            kind: ExecutorView(kind=kind, summary=own[kind].describe(), params=params, agents=0, here=True)
            for kind, params in schemas.items()
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


async def known_kinds(desk: Desk) -> Kinds:
    """Return every type of step that this server or an agent knows now, with the JSON Schema of its parameters."""
    fleet = desk.engine.fleet
    await fleet.refresh()
    announced = (one for agent in fleet.rows.values() for one in agent.executors)
    theirs = {str(one.get("kind", "")): one.get("schema") or {} for one in announced}
    return theirs | await asyncio.to_thread(_own_schemas, desk)


def _own_schemas(desk: Desk) -> dict[str, dict[str, Any]]:
    """A program may have to be asked for its schema, which others must not wait for."""
    return {kind: executor.Params.model_json_schema() for kind, executor in desk.plugins.executors.items()}
