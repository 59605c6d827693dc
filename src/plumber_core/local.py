"""The local agent: the same link and supervisor as everywhere, with the engine itself as its peer, and no port."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self

from plumber_core.control.nouns import Agents
from plumber_core.errors import NotFound, StartupError
from plumber_core.protocol.peer import Peer
from plumber_core.runner.acceptance import Room
from plumber_core.runner.describe import describe_executors
from plumber_core.runner.facts import collect_facts, measure_load
from plumber_core.runner.loop import AgentLoop
from plumber_core.runner.session_chain import SessionChain, write_durably
from plumber_core.runner.supervision import SupervisorClient

NAME = "local"
CONNECT_LIMIT = 10.0


class Host(Protocol):
    """What the local agent needs of the control plane that it belongs to."""

    @property
    def agents(self) -> Agents: ...

    async def agent_peer(self, token: str) -> Peer: ...


class LocalAgent:
    """Runs as the agent ``local`` while its context is open.

    Args:
        plumber: the open control plane.
        state_dir: its journal, kept so that commands outlive this process; None is a temporary one, and leaving
            the context then ends what runs.
        plugins: the ``[plugins]`` table, which holds for executors too.
    """

    def __init__(self, plumber: Host, state_dir: Path | None, plugins: Mapping[str, Any]) -> None:
        self._plumber = plumber
        self._plugins = plugins
        self._state_dir = state_dir
        self._stack = AsyncExitStack()
        self._loop: AgentLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        folder = self._state_dir
        if folder is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="plumber-local-")))
        folder = folder.absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = await self._credential(folder)

        async def connect() -> Peer:
            return await self._plumber.agent_peer(token)

        self._loop = AgentLoop(
            lambda: SupervisorClient.attach(folder),
            connect,
            SessionChain(folder),
            workdir=Path.cwd(),
            facts=collect_facts(),
            plugins=self._plugins,
            describe=functools.partial(describe_executors, self._plugins),
            room=Room(folder),
            load=measure_load,
        )
        self._task = asyncio.create_task(self._loop.run(), name="local agent")
        try:
            await self._connected(self._loop, self._task)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.stop(kill=self._state_dir is None)
            await asyncio.gather(self._task, return_exceptions=True)
        await self._stack.aclose()

    async def _connected(self, loop: AgentLoop, task: asyncio.Task[None]) -> None:
        waiting = asyncio.create_task(loop.connected.wait())
        await asyncio.wait({waiting, task}, timeout=CONNECT_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        if not loop.connected.is_set():
            raise StartupError(reason="the local agent did not connect")

    async def _credential(self, folder: Path) -> str:
        """Return the credential kept in the state folder, or a new one when there is none that fits."""
        file = folder / "agent.token"
        try:
            agent = await self._plumber.agents.show(agent=NAME)
        except NotFound:
            created = await self._plumber.agents.create(name=NAME)
            token = created.config.token
        else:
            if file.exists():
                return file.read_text("utf-8").strip()
            token = (await self._plumber.agents.rotate(agent=agent.id)).token
        write_durably(file, token.encode())
        return token
