"""``Plumber``: the composition root. It wires store, plugins and engine, and is the control plane in-process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from plumber_core.builtin.passwords import hash_password
from plumber_core.control import nouns
from plumber_core.control.plane import ControlPlane
from plumber_core.engine import events, log_reading, logs
from plumber_core.engine.access import Access, Caller, Identities, agent_of
from plumber_core.engine.admission import admissions
from plumber_core.engine.claim import deliver
from plumber_core.engine.core import Engine
from plumber_core.engine.operations.base import Desk
from plumber_core.engine.operations.plane import BoundPlane
from plumber_core.engine.original import OriginalAgents
from plumber_core.engine.outbox import begin_telling, read_settings
from plumber_core.engine.peer import EnginePeer
from plumber_core.engine.pools import tell_here
from plumber_core.engine.reap import sweep, sweeps
from plumber_core.errors import PlumberError
from plumber_core.ids import TOKEN_PREFIX, secret_hash
from plumber_core.model import limits
from plumber_core.model.records import LogPlace
from plumber_core.model.states import TERMINAL_EXECUTION_STATES
from plumber_core.model.task import Task
from plumber_core.model.views import Event, ExecutionDetail, LogGrowth, LogSlice, Principal
from plumber_core.plugins.registry import PluginRegistry
from plumber_core.plugins.settings import with_whole_path
from plumber_core.protocol.messages import Goodbye
from plumber_core.protocol.peer import Peer
from plumber_core.storage.database import connect
from plumber_core.storage.store import SqlStore

SYSTEM = Principal(kind="system", id="system", name="system")
ADMIN = "admin"
LOGS_AFTER_END = 30.0


class Plumber:
    """The control plane in-process: ``async with Plumber("sqlite:///ops.db") as plumber: ...``.

    Its nouns (``tasks``, ``executions``, ...) act as the principal ``system``; ``acting_as`` gives those of another.

    Args:
        database_url: ``sqlite:///FILE``, ``sqlite://`` (in memory) or ``postgresql://...``.
        local_agent: run steps in this process's machine too, as the agent ``local``; no port is opened.
        admin_password: first password of the user ``admin``; without one ``create_admin`` makes a random one.
        create_admin: make sure that the user ``admin`` exists (servers need it, scripts do not).
        public_url: how agents and people reach this server; only told to them.
        plugins: the ``[plugins]`` table of the configuration.
        state_dir: where the local agent keeps its journal; by default beside the SQLite file.
        patience: how long to wait for silent agents.
        retention: what is kept of executions that have ended.
        notifications: the ``[notifications]`` table of the configuration: who is told of every task.
        own_plugins: plugins of this program beside the installed ones: name -> a module or an object with functions
            marked ``@hookimpl``. They act in this process; executors and secret providers, which steps need in
            processes of their own, belong into files of ``plugins["folder"]``.
    """

    def __init__(
        self,
        database_url: str = "sqlite:///plumber.db",
        *,
        local_agent: bool = True,
        admin_password: str | None = None,
        create_admin: bool = False,
        public_url: str = "http://127.0.0.1:52281",
        plugins: Mapping[str, Any] | None = None,
        state_dir: Path | None = None,
        patience: limits.Patience | None = None,
        retention: limits.Retention | None = None,
        notifications: Mapping[str, Any] | None = None,
        own_plugins: Mapping[str, object] | None = None,
    ) -> None:
        self._store = SqlStore(connect(database_url))
        self._engine = Engine(self._store, patience, _boottime)
        self._engine.public_url = public_url
        self._engine.retention = retention or limits.Retention()
        self._logs = logs.LogWriter(self._engine)
        self._wants_local_agent = local_agent
        self._admin_password = admin_password
        self._create_admin = create_admin or admin_password is not None
        self._plugin_table, self._own_plugins = plugins or {}, own_plugins or {}
        self._engine.notices = read_settings(notifications or {})
        self._state_dir = state_dir
        self._stack = AsyncExitStack()
        self._plugins: PluginRegistry | None = None
        self._access: Access | None = None
        self._system: BoundPlane | None = None
        self.original = OriginalAgents(self._engine, self._logs)
        self.first_password: str | None = None
        """The random password of ``admin``, in the process that created it."""

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain()
        await self._stack.aclose()
        self._plugins = None

    @property
    def plugins(self) -> PluginRegistry:
        """The plugins of this process, open."""
        assert self._plugins is not None, "open it first: async with Plumber(...)"
        return self._plugins

    @property
    def is_open(self) -> bool:
        """Whether calls can be served."""
        return self._plugins is not None

    async def _open(self) -> None:
        self._stack.push_async_callback(self._store.close)
        await self._store.open()
        self._engine.learn_epoch(await self._store.epoch())
        opened = PluginRegistry.open(self._plugin_table, Identities(self._store), self._own_plugins)
        self._plugins = await self._stack.enter_async_context(opened)
        self._access = Access(self._engine, self._plugins)
        self._system = BoundPlane(self._desk(Caller(SYSTEM)))
        await self._ensure_admin()
        await self._start_work()
        if self._wants_local_agent:
            await self._start_local_agent()

    async def _start_work(self) -> None:
        self._stack.push_async_callback(self._leave)
        self._stack.push_async_callback(self._engine.stop)
        wakeups = self._engine.wakeups
        wakeups.on_agent = lambda agent: self._spawn_delivery(agent)
        wakeups.on_pool = self._spawn_telling
        await sweep(self._engine, 1)
        await wakeups.greet()
        self._engine.spawn(self._logs.run(), "log writer")
        self._engine.spawn(wakeups.relay(), "relay")
        self._engine.spawn(admissions(self._engine), "admissions")
        self._engine.spawn(self._store.listen(wakeups.heard), "listener")
        self._engine.spawn(sweeps(self._engine), "sweeps")
        await begin_telling(self._engine, self.plugins)

    async def _leave(self) -> None:
        """Let another replica lead and count at once. A database that is away will notice by itself."""
        with contextlib.suppress(PlumberError):
            if self._engine.term is not None:
                await self._store.resign(self._engine.term)
            await self._store.forget_server(self._engine.server_id)

    def _spawn_telling(self, pool: str) -> None:
        self._engine.spawn(tell_here(self._engine, pool), "pool")

    def _spawn_delivery(self, agent: str) -> None:
        if self._engine.connections.get(agent) is not None:
            self._engine.spawn(deliver(self._engine, agent, "notify"), "deliver")

    async def _ensure_admin(self) -> None:
        if not self._create_admin or await self._store.find_user(ADMIN) is not None:
            return
        password = self._admin_password or secrets.token_urlsafe(15)
        if await self._store.ensure_user(ADMIN, await hash_password(password)) and self._admin_password is None:
            self.first_password = password

    async def _start_local_agent(self) -> None:
        from plumber_core.local import LocalAgent

        database = getattr(self._store.database, "path", None)
        state_dir = self._state_dir or (Path(f"{database}.agent") if database else None)
        agent = LocalAgent(self, state_dir, with_whole_path(self._plugin_table, Path.cwd()))
        await self._stack.enter_async_context(agent)

    # ---- the control plane, as the system

    def _bound(self) -> BoundPlane:
        assert self._system is not None, "open it first: async with Plumber(...)"
        return self._system

    @property
    def sessions(self) -> nouns.Sessions:
        return self._bound().sessions

    @property
    def tokens(self) -> nouns.Tokens:
        return self._bound().tokens

    @property
    def tasks(self) -> nouns.Tasks:
        return self._bound().tasks

    @property
    def executions(self) -> nouns.Executions:
        return self._bound().executions

    @property
    def agents(self) -> nouns.Agents:
        return self._bound().agents

    @property
    def groups(self) -> nouns.Groups:
        return self._bound().groups

    @property
    def executors(self) -> nouns.Executors:
        return self._bound().executors

    @property
    def notifications(self) -> nouns.Notifications:
        return self._bound().notifications

    @property
    def subscribers(self) -> nouns.Subscribers:
        return self._bound().subscribers

    @property
    def system(self) -> nouns.System:
        return self._bound().system

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        """See ``ControlPlane.read_log``."""
        return await log_reading.read_log(self._engine, attempt, LogPlace(offset, line, tail), limit)

    def follow(self, *, execution: str | None = None, after: str | None = None) -> AsyncIterator[Event | LogGrowth]:
        """See ``ControlPlane.follow``."""
        return events.follow(self._engine, execution, after)

    # ---- the control plane, as others

    def _desk(self, caller: Caller | None, address: str = "") -> Desk:
        assert self._plugins is not None and self._access is not None, "open it first: async with Plumber(...)"
        return Desk(self._engine, self._plugins, self._access, caller, address)

    async def authenticate(self, token: str) -> Principal:
        """Return who a bearer token belongs to (a user's session or an API token; never an agent's).

        Raises: Unauthenticated, Unavailable.
        """
        assert self._access is not None, "open it first: async with Plumber(...)"
        return await self._access.principal(token)

    def acting_as(self, principal: Principal, *, token: str | None = None, address: str = "") -> ControlPlane:
        """Return the control plane bound to a principal: every call is authorised for it."""
        own = token is not None and token.startswith(TOKEN_PREFIX)
        digest = secret_hash(token) if token is not None and own else None
        return BoundPlane(self._desk(Caller(principal, token_hash=digest, address=address), address))

    def anonymous(self, *, address: str = "") -> ControlPlane:
        """Return the control plane for callers without a credential: only public operations answer."""
        return BoundPlane(self._desk(None, address))

    async def agent_peer(self, token: str) -> Peer:
        """Return the engine as the agent with this credential sees it.

        Raises: Refused, Unavailable.
        """
        return EnginePeer(self._engine, self._logs, await agent_of(self._engine, token), token)

    # ---- sugar

    async def run(self, task: Task | Mapping[str, Any] | str, **parameters: Any) -> ExecutionDetail:
        """Run a task (a ``Task``, a mapping or YAML text) without saving it, and wait for its end."""
        if isinstance(task, Task):
            source = json.dumps(task.definition())
        else:
            source = task if isinstance(task, str) else json.dumps(task)
        begun = await self.executions.start(source=source, parameters=parameters)
        return await self.wait(begun.id)

    async def wait(self, execution: str) -> ExecutionDetail:
        """Wait until an execution has ended and its logs are complete, and return it.

        Logs of agents that fell silent are waited for at most ``LOGS_AFTER_END`` seconds.
        """
        detail = await self.executions.show(execution=execution)
        if detail.state not in TERMINAL_EXECUTION_STATES:
            async with contextlib.aclosing(events.follow(self._engine, execution, detail.event)) as items:
                async for item in items:
                    if isinstance(item, Event) and item.kind in _ENDS:
                        break
        return await self._with_logs(execution)

    async def _with_logs(self, execution: str) -> ExecutionDetail:
        subscription = self._engine.wakeups.subscribe(execution)
        patience = time.monotonic() + LOGS_AFTER_END
        try:
            while True:
                detail = await self.executions.show(execution=execution)
                if _logs_complete(detail) or time.monotonic() > patience:
                    return detail
                await subscription.wait(1.0)
        finally:
            self._engine.wakeups.unsubscribe(subscription)

    # ---- looking after it

    async def ready(self) -> bool:
        """Say whether calls are served: the database answers and its schema is current."""
        if not self.is_open:
            return False
        try:
            async with asyncio.timeout(2.0):
                await self._store.ping()
        except (PlumberError, TimeoutError):
            return False
        return True

    def metrics(self) -> dict[str, float]:
        """Return counters and gauges by their names, such as ``plumber_steps_succeeded_total``."""
        connections = self._engine.connections.all()
        return {
            "plumber_illegal_transition_total": 0.0,
            **self._engine.counts,
            "plumber_agents_connected": float(len(connections)),
            "plumber_attempts_live": float(sum(len(c.live) for c in connections)),
        }

    async def drain(self) -> None:
        """Tell agents goodbye and end every ``follow``: called first when a server stops."""
        connections = self._engine.connections.all()
        spread = min(limits.RECONNECT_SPREAD_MAX, len(connections) / limits.RECONNECTS_PER_SECOND)
        for number, connection in enumerate(connections):
            connection.push(Goodbye(spread * number / max(1, len(connections))))
        self._engine.wakeups.end_all()


def _boottime() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _logs_complete(detail: ExecutionDetail) -> bool:
    """Whether every attempt that an agent has reported has its whole log; of the others nothing more is known."""
    reported = {"succeeded", "failed", "timed_out", "cancelled"}
    attempts = (attempt for step in detail.steps for attempt in step.attempts)
    return all(attempt.log_complete for attempt in attempts if attempt.state in reported)


_ENDS = {f"execution.{state}" for state in TERMINAL_EXECUTION_STATES}
