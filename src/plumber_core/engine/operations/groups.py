"""``group.*``."""

from __future__ import annotations

import builtins

from plumber_core.engine.clock import moment
from plumber_core.engine.operations.base import Noun, clean
from plumber_core.errors import Conflict, InvalidRequest, NotFound
from plumber_core.model.overviews import GroupView
from plumber_core.model.records import GroupRow
from plumber_core.model.views import Done
from plumber_core.planning.problems import nearest
from plumber_core.planning.target_terms import InGroup
from plumber_core.planning.targets import Roll, select
from plumber_core.reasons import because

MAX_DESCRIPTION, MAX_EXPRESSION = 1000, 4000


class GroupOperations(Noun):
    """Implements ``control.nouns.Groups``."""

    async def list(self) -> builtins.list[GroupView]:
        await self.desk.allow("group:list")
        agents = await self._fleet()
        return [_view(row, agents) for row in await self.store.list_groups()]

    async def save(self, *, name: str, expression: str, description: str = "") -> GroupView:
        caller = await self.desk.allow("group:save", name)
        said = clean("description", description, MAX_DESCRIPTION)
        wanted = clean("expression", expression, MAX_EXPRESSION)
        agents = await self._fleet()
        agents.groups.check(name, wanted)
        row = await self.store.save_group(GroupRow(name, wanted, said, caller.principal.name))
        self.engine.fleet.stale()
        return _view(row, await self._fleet())

    async def delete(self, *, name: str) -> Done:
        caller = await self.desk.allow("group:delete", name)
        if using := (await self._fleet()).groups.using(name):
            raise Conflict(reason=because("group_used", name=name, by=using[0]))
        if not await self.store.delete_group(name, caller.principal.name):
            raise NotFound(kind="group", name=name, nearest=nearest(name, self.engine.fleet.agents.groups.expressions))
        self.engine.fleet.stale()
        return Done()

    async def _fleet(self) -> Roll:
        await self.engine.fleet.refresh()
        return self.engine.fleet.agents


def _view(row: GroupRow, agents: Roll) -> GroupView:
    return GroupView(
        name=row.name,
        expression=row.expression,
        description=row.description,
        total=_total(row.name, agents),
        updated_by=row.updated_by,
        updated_at=moment(row.updated_at),
    )


def _total(name: str, agents: Roll) -> int:
    try:
        return len(select(InGroup(name), agents))
    except InvalidRequest:
        # Two people may have made a circle at the same moment; whoever looks can mend it.
        return 0
