"""``agent.*``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumber_core.closest import closest
from plumber_core.engine.access import require_user
from plumber_core.engine.caches import agent_ref
from plumber_core.engine.clock import moment
from plumber_core.engine.operations.base import Noun, clean, page_size
from plumber_core.engine.presence import presence
from plumber_core.engine.views import agent_view, stray_view
from plumber_core.errors import Conflict, InvalidRequest, NotFound, Unauthenticated
from plumber_core.ids import new_id, new_secret, secret_hash
from plumber_core.model import limits
from plumber_core.model.agent import AgentRef
from plumber_core.model.labels import check_agent_name, check_label
from plumber_core.model.overviews import FailedTerm, NearMiss, TargetMatch, UnknownWord
from plumber_core.model.records import AgentRow
from plumber_core.model.states import AGENT_EDGES, AgentState, Presence
from plumber_core.model.views import AgentConfig, AgentCreated, AgentView, Done, Enrolment, Page, StrayView
from plumber_core.planning.target_explain import NEVER_MATCHING, Near, near_misses, unknown_words
from plumber_core.planning.target_terms import InGroup
from plumber_core.planning.targets import Target, bound, parse_aim, parse_target, select
from plumber_core.reasons import because

MOST_NAMED, MOST_NEAR = 50, 10


class AgentOperations(Noun):
    """Implements ``control.nouns.Agents``."""

    async def list(self, *, on: str = "all", limit: int = 500, cursor: str | None = None) -> Page[AgentView]:
        await self.desk.allow("agent:list")
        size, target = page_size(limit), await self._opened(parse_target(on))
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
        aim = parse_aim(clean("on", on, 4000))
        fleet, now = self.engine.fleet, await self.store.now()
        await fleet.refresh()
        target = bound(aim.who, fleet.agents)
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
            near=_nearly(target, fleet.agents),
            unknown=[UnknownWord(word=one.word, nearest=one.nearest) for one in unknown_words(target, fleet.agents)],
            any_of=aim.any_of,
        )

    async def create(
        self, *, name: str, labels: dict[str, str] | None = None, slots: int = limits.AGENT_SLOTS
    ) -> AgentCreated:
        await self.desk.allow("agent:create")
        row = _new_agent(name, labels or {}, slots)
        token = new_secret("agent")
        if not await self.store.add_agent(row, secret_hash(token)):
            raise Conflict(reason=because("agent_exists", name=name))
        self.engine.fleet.stale()
        config = AgentConfig(id=row.id, token=token, server_addr=self.engine.public_url)
        return AgentCreated(agent=await self._view(row.id), config=config)

    async def enroll(
        self, *, name: str | None = None, labels: dict[str, str] | None = None, minutes: int = 60
    ) -> Enrolment:
        caller = await self.desk.allow("agent:enroll")
        if not 1 <= minutes <= 1440:
            raise InvalidRequest(field="minutes", reason=because("between", least=1, most=1440))
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
        url = self.engine.public_url
        command = f"curl -fsSL {url}/install.sh | PLUMBER_ENROLL_TOKEN={secret} sh -s {url}"
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
            raise Conflict(reason=because("agent_exists", name=row.name))
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
            raise Conflict(reason=because("agent_exists", name=name))
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

    async def waive(self, *, agent: str) -> AgentView:
        caller = await self.desk.allow("agent:waive", agent)
        row = await self.find(agent)
        if not await self.store.waive_inventory(row.id, caller.principal.name):
            raise Conflict(reason=because("agent_not_awaited", name=row.name))
        self.engine.fleet.stale()
        return await self._view(row.id)

    async def strays(self, *, agent: str, limit: int = 50, cursor: str | None = None) -> Page[StrayView]:
        await self.desk.allow("agent:strays", agent)
        row, size = await self.find(agent), page_size(limit)
        found = await self.store.strays(row.id, size + 1, cursor)
        items = [stray_view(one) for one in found[:size]]
        return Page(items=items, next=items[-1].attempt if len(found) > size else None)

    async def rotate(self, *, agent: str) -> AgentConfig:
        await self.desk.allow("agent:rotate", agent)
        row = await self.find(agent)
        if row.state is AgentState.REVOKED:
            raise Conflict(reason=because("agent_revoked", name=row.name))
        secret = new_secret("agent")
        await self.store.rotate_agent(row.id, secret_hash(secret))
        return AgentConfig(id=row.id, token=secret, server_addr=self.engine.public_url)

    async def delete(self, *, agent: str) -> Done:
        await self.desk.allow("agent:delete", agent)
        row = await self.find(agent)
        if not await self.store.delete_agent(row.id):
            raise Conflict(reason=because("agent_runs", name=row.name))
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
        raise NotFound(kind="agent", name=agent, nearest=closest(agent, (other.name for other in rows)))

    async def _decree(self, action: str, agent: str, state: AgentState) -> AgentView:
        await self.desk.allow(action, agent)
        row = await self.find(agent)
        if row.state is not state:
            sources = [source for source, target in AGENT_EDGES if target is state]
            if not await self.store.set_agent_state(row.id, state, sources):
                raise Conflict(reason=because("agent_state", name=row.name, state=row.state.value, wanted=state.value))
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

    async def _opened(self, target: Target) -> Target:
        if any(isinstance(term, InGroup) for term in target.terms()):
            await self.engine.fleet.refresh()
        return bound(target, self.engine.fleet.agents)


def _nearly(target: Target, agents: Sequence[AgentRef]) -> list[NearMiss]:
    """Show who would match if it were not disabled, then who misses least."""
    off = [Near(agent, ()) for agent in agents if agent.state in NEVER_MATCHING and target.matches(agent)]
    able = (agent for agent in agents if agent.state not in NEVER_MATCHING)
    found = [*off[:MOST_NEAR], *near_misses(target, able, MOST_NEAR)][:MOST_NEAR]
    return [
        NearMiss(
            name=near.agent.name,
            state=near.agent.state,
            failed=[FailedTerm(term=one.term, label=one.label, value=one.value) for one in near.failed],
        )
        for near in found
    ]


def _matches(target: Target, row: AgentRow) -> bool:
    """Listing shows disabled and revoked agents too, which never match as targets."""
    return target.matches(agent_ref(row))


def _new_agent(name: str, labels: dict[str, str], slots: int) -> AgentRow:
    check_agent_name("name", name)
    for key, value in labels.items():
        check_label(key, value)
    if not 1 <= slots <= 1000:
        raise InvalidRequest(field="slots", reason=because("between", least=1, most=1000))
    return AgentRow(new_id(), name, AgentState.ACTIVE, labels, {}, "", slots, [], 0, None, False)
