"""``session.*``, ``token.*`` and ``system.*``."""

from __future__ import annotations

import builtins
from collections import Counter
from datetime import UTC, datetime

from plumber_core.engine.access import require_user
from plumber_core.engine.clock import moment
from plumber_core.engine.operations.base import Noun, clean
from plumber_core.engine.operations.plugins import panel_views, plugin_views
from plumber_core.engine.pictures import RESULTS, usual_duration
from plumber_core.engine.presence import presence
from plumber_core.engine.views import execution_summary, summary_values, token_info
from plumber_core.errors import InvalidRequest, NotFound
from plumber_core.ids import new_secret, secret_hash
from plumber_core.model.notice_views import PanelView, PluginView
from plumber_core.model.overviews import ExecutionProgress, FleetCounts, Overview
from plumber_core.model.panel_slots import PanelSlot
from plumber_core.model.states import Presence
from plumber_core.model.views import Done, LoginResult, Principal, SystemInfo, TokenCreated, TokenInfo
from plumber_core.reasons import because
from plumber_core.version import __version__

DAY = 86_400_000_000


class SessionOperations(Noun):
    """Implements ``control.nouns.Sessions``."""

    async def login(self, *, username: str, password: str) -> LoginResult:
        token, row, principal = await self.desk.access.login(username, password, self.desk.address)
        return LoginResult(token=token, expires_at=moment(row.expires_at or 0), user=principal)

    async def logout(self) -> Done:
        caller = await self.desk.allow("session:logout")
        if caller.token_hash is not None:
            row = await self.store.find_credential(caller.token_hash)
            if row is not None and row.kind == "session":
                await self.store.revoke_credential(row.id)
            self.desk.access.forget_tokens()
        return Done()

    async def whoami(self) -> Principal:
        return (await self.desk.allow("session:whoami")).principal

    async def change_password(self, *, current: str, new: str) -> Done:
        caller = await self.desk.allow("session:change_password")
        await self.desk.access.change_password(caller, current, new)
        return Done()


class TokenOperations(Noun):
    """Implements ``control.nouns.Tokens``."""

    async def create(self, *, name: str, days: int | None = 365) -> TokenCreated:
        caller = await self.desk.allow("token:create")
        if not clean("name", name, 100).strip():
            raise InvalidRequest(field="name", reason=because("empty"))
        if days is not None and not 1 <= days <= 3650:
            raise InvalidRequest(field="days", reason=because("between", least=1, most=3650))
        secret = new_secret("token")
        seconds = None if days is None else days * 86400.0
        owner = require_user(caller)
        row = await self.store.add_credential("token", owner, secret_hash(secret), name=name, seconds=seconds, data={})
        return TokenCreated(**token_info(row).model_dump(), token=secret)

    async def list(self) -> builtins.list[TokenInfo]:
        caller = await self.desk.allow("token:list")
        return [token_info(row) for row in await self.store.list_credentials("token", require_user(caller))]

    async def revoke(self, *, id: str) -> Done:
        caller = await self.desk.allow("token:revoke", id)
        if not await self.store.revoke_credential(id, require_user(caller)):
            raise NotFound(kind="token", name=id)
        self.desk.access.forget_tokens()
        return Done()


class SystemOperations(Noun):
    """Implements ``control.nouns.System``."""

    async def info(self) -> SystemInfo:
        await self.desk.allow("system:info")
        now = await self.store.now()
        fleet = await self._fleet(now)
        return SystemInfo(
            version=__version__,
            database="postgresql" if self.store.dialect == "postgresql" else "sqlite",
            epoch=await self.store.epoch(),
            time=moment(now),
            agents_online=fleet.by_presence.get(Presence.ONLINE, 0),
            agents_total=fleet.total,
            executions_running=await self.store.count_running(),
        )

    async def plugins(self) -> builtins.list[PluginView]:
        await self.desk.allow("system:plugins")
        return await plugin_views(self.desk)

    async def panels(self, *, slot: PanelSlot) -> builtins.list[PanelView]:
        await self.desk.allow("system:panels")
        return await panel_views(self.desk, slot)

    async def overview(self, *, failed_since: str | None = None) -> Overview:
        await self.desk.allow("system:overview")
        now = await self.store.now()
        since = now - DAY if failed_since is None else _microseconds(failed_since)
        running, failed = await self.store.running_and_failed(since)
        counts = await self.store.state_counts([row.id for row in running])
        results = await self.store.recent_results(list({row.task_id for row in running if row.task_id}), RESULTS)
        tasks, executions = await self.store.totals()
        return Overview(
            running=[
                ExecutionProgress(
                    **summary_values(row),
                    counts=counts.get(row.id, {}),
                    usual_duration=usual_duration(results.get(row.task_id or "", [])),
                )
                for row in running
            ],
            failed=[execution_summary(row) for row in failed],
            fleet=await self._fleet(now),
            tasks=tasks,
            executions=executions,
        )

    async def _fleet(self, now: int) -> FleetCounts:
        await self.engine.fleet.refresh()
        rows = self.engine.fleet.rows.values()
        seen = Counter(presence(row.last_seen_at, now, self.engine.heartbeat).value for row in rows)
        return FleetCounts(
            total=len(rows), by_presence=dict(seen), by_state=dict(Counter(row.state.value for row in rows))
        )


def _microseconds(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).astimezone(UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise InvalidRequest(field="failed_since", reason=because("bad_time")) from None
