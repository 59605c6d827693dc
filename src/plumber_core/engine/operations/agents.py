"""``agent.*``."""

from __future__ import annotations

import difflib
from typing import Any

from plumber_core.engine.access import require_user
from plumber_core.engine.events import moment
from plumber_core.engine.operations.base import Noun, clean, page_size
from plumber_core.engine.views import agent_view, presence
from plumber_core.errors import Conflict, InvalidRequest, NotFound, Unauthenticated
from plumber_core.ids import new_id, new_secret, secret_hash
from plumber_core.model import limits
from plumber_core.model.agent import AgentRef
from plumber_core.model.labels import check_agent_name, check_label
from plumber_core.model.overviews import TargetMatch
from plumber_core.model.records import AgentRow
from plumber_core.model.states import AGENT_EDGES, AgentState, Presence
from plumber_core.model.views import AgentConfig, AgentCreated, AgentView, Done, Enrolment, Page
from plumber_core.planning.targets import parse_target, select

MOST_NAMED = 50


class AgentOperations(Noun):
    """Implements ``control.nouns.Agents``."""

    async def list(self, *, on: str = "all", limit: int = 500, cursor: str | None = None) -> Page[AgentView]:
        await self.desk.allow("agent:list")
        size, target = page_size(limit), parse_target(on)
        _, rows = await self.store.list_agents()
        now = await self.store.now()
        matching = [row for row in rows if (cursor is None or row.name > cursor) and _matches(target, row)]
        items = [agent_view(row, now, self.engine.heartbeat) for row in matching[:size]]
        return Page(items=items, next=items[-1].name if len(matching) > size else None)

    async def show(self, *, agent: str) -> AgentView:
        await self.desk.allow("agent:show", agent)
        return await self._view(agent)

    async def match(self, *, on: str) -> TargetMatch:
        await self.desk.allow("agent:match")
        target = parse_target(clean("on", on, 4000))
        fleet, now = self.engine.fleet, await self.store.now()
        await fleet.refresh()
        matching = [fleet.rows[agent.id] for agent in select(target, fleet.agents)]
        offline = [
            row.name
            for row in matching
            if presence(row.last_seen_at, now, self.engine.heartbeat) is not Presence.ONLINE
        ]
        names = [row.name for row in matching]
        return TargetMatch(
            total=len(names),
            online=len(names) - len(offline),
            names=names[:MOST_NAMED],
            offline_names=offline[:MOST_NAMED],
        )

    async def create(
        self, *, name: str, labels: dict[str, str] | None = None, slots: int = limits.AGENT_SLOTS
    ) -> AgentCreated:
        await self.desk.allow("agent:create")
        row = _new_agent(name, labels or {}, slots)
        token = new_secret("agent")
        if not await self.store.add_agent(row, secret_hash(token)):
            raise Conflict(reason=f"an agent named {name} exists already")
        self.engine.fleet.stale()
        config = AgentConfig(id=row.id, token=token, server_addr=self.engine.public_url)
        return AgentCreated(agent=await self._view(row.id), config=config)

    async def enroll(
        self, *, name: str | None = None, labels: dict[str, str] | None = None, minutes: int = 60
    ) -> Enrolment:
        caller = await self.desk.allow("agent:enroll")
        if not 1 <= minutes <= 1440:
            raise InvalidRequest(field="minutes", reason="it must be from 1 to 1440")
        bound = _new_agent(name or "any", labels or {}, limits.AGENT_SLOTS)
        secret = new_secret("enroll")
        row = await self.store.add_credential(
            "enrolment",
            require_user(caller) if caller.principal.kind != "system" else "system",
            secret_hash(secret),
            name=name or "",
            seconds=minutes * 60.0,
            data={"labels": bound.labels},
        )
        command = f"PLUMBER_ENROLL_TOKEN={secret} plumber-agent --enroll {self.engine.public_url}"
        return Enrolment(token=secret, expires_at=moment(row.expires_at or 0), command=command)

    async def redeem(self, *, token: str, name: str, server_addr: str) -> AgentConfig:
        self.desk.access.limit_enrolment(self.desk.address)
        credential = await self.store.find_credential(secret_hash(token))
        if credential is None or credential.kind != "enrolment" or credential.used_at is not None:
            raise Unauthenticated
        labels: dict[str, str] = credential.data.get("labels", {})
        row = _new_agent(credential.name or name, labels, limits.AGENT_SLOTS)
        secret = new_secret("agent")
        refused = await self.store.use_enrolment(secret_hash(token), row, secret_hash(secret))
        if refused == "name":
            raise Conflict(reason=f"an agent named {row.name} exists already")
        if refused is not None:
            raise Unauthenticated
        self.engine.fleet.stale()
        return AgentConfig(id=row.id, token=secret, server_addr=clean("server_addr", server_addr, 500))

    async def update(
        self,
        *,
        agent: str,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        slots: int | None = None,
    ) -> AgentView:
        await self.desk.allow("agent:update", agent)
        row = await self.find(agent)
        checked = _new_agent(row.name if name is None else name, labels or {}, row.slots if slots is None else slots)
        values: dict[str, Any] = {"name": checked.name, "slots": checked.slots}
        if labels is not None:
            values["labels"] = checked.labels
        if not await self.store.update_agent(row.id, values):
            raise Conflict(reason=f"an agent named {name} exists already")
        if (connection := self.engine.connections.get(row.id)) is not None:
            connection.slots = checked.slots
        self.engine.fleet.stale()
        return await self._view(row.id)

    async def drain(self, *, agent: str) -> AgentView:
        return await self._decree("agent:drain", agent, AgentState.DRAINING)

    async def activate(self, *, agent: str) -> AgentView:
        return await self._decree("agent:activate", agent, AgentState.ACTIVE)

    async def disable(self, *, agent: str) -> AgentView:
        return await self._decree("agent:disable", agent, AgentState.DISABLED)

    async def revoke(self, *, agent: str) -> AgentView:
        return await self._decree("agent:revoke", agent, AgentState.REVOKED)

    async def rotate(self, *, agent: str) -> AgentConfig:
        await self.desk.allow("agent:rotate", agent)
        row = await self.find(agent)
        if row.state is AgentState.REVOKED:
            raise Conflict(reason=f"agent {row.name} was revoked")
        secret = new_secret("agent")
        await self.store.rotate_agent(row.id, secret_hash(secret))
        return AgentConfig(id=row.id, token=secret, server_addr=self.engine.public_url)

    async def delete(self, *, agent: str) -> Done:
        await self.desk.allow("agent:delete", agent)
        row = await self.find(agent)
        if not await self.store.delete_agent(row.id):
            raise Conflict(reason=f"agent {row.name} still runs something")
        self._disconnect(row.id)
        return Done()

    async def find(self, agent: str) -> AgentRow:
        """Return an agent by name or id.

        Raises: NotFound.
        """
        row = await self.store.find_agent(clean("agent", agent, 200))
        if row is not None:
            return row
        _, rows = await self.store.list_agents()
        nearest = difflib.get_close_matches(agent, [other.name for other in rows], 1)
        raise NotFound(kind="agent", name=agent, nearest=nearest[0] if nearest else None)

    async def _decree(self, action: str, agent: str, state: AgentState) -> AgentView:
        await self.desk.allow(action, agent)
        row = await self.find(agent)
        if row.state is not state:
            sources = [source for source, target in AGENT_EDGES if target is state]
            if not await self.store.set_agent_state(row.id, state, sources):
                raise Conflict(reason=f"agent {row.name} is {row.state} and cannot become {state}")
        self._apply(row.id, state)
        return await self._view(row.id)

    def _apply(self, agent_id: str, state: AgentState) -> None:
        self.engine.fleet.stale()
        connection = self.engine.connections.get(agent_id)
        if connection is None:
            return
        if state is AgentState.REVOKED:
            self._disconnect(agent_id)
        connection.accepts = state is AgentState.ACTIVE
        connection.backlog = True

    def _disconnect(self, agent_id: str) -> None:
        self.engine.fleet.stale()
        if (connection := self.engine.connections.get(agent_id)) is not None:
            self.engine.connections.remove(connection)

    async def _view(self, agent: str) -> AgentView:
        row = await self.find(agent)
        return agent_view(row, await self.store.now(), self.engine.heartbeat)


def _matches(target: Any, row: AgentRow) -> bool:
    """Listing shows disabled and revoked agents too, which never match as targets."""
    return bool(target.matches(AgentRef(row.id, row.name, AgentState.ACTIVE, row.labels, row.facts)))


def _new_agent(name: str, labels: dict[str, str], slots: int) -> AgentRow:
    check_agent_name("name", name)
    for key, value in labels.items():
        check_label(key, value)
    if not 1 <= slots <= 1000:
        raise InvalidRequest(field="slots", reason="it must be from 1 to 1000")
    return AgentRow(new_id(), name, AgentState.ACTIVE, labels, {}, "", slots, [], 0, None, False)
