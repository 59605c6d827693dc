"""The floor's server: raw ASGI, one durable row a step, no framework, no credential, no state machine.

Started by uvicorn with the database's address in ``FLOOR_DATABASE``. A request's body is ``LEFT AGENTS COMMAND``: run
``true`` LEFT - 1 times, over so many agents in turn, then COMMAND.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import psycopg

Message = dict[str, Any]
TABLE = """CREATE TABLE step (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text, remaining int, agents int,
  command text)"""
_INSERT = "INSERT INTO step (state, remaining, agents, command) VALUES ('running', %s, %s, %s) RETURNING id"
_NEXT = "UPDATE step SET remaining = %s WHERE id = %s"
_DONE = "UPDATE step SET state = 'done' WHERE id = %s"


class Floor:
    """An ASGI application; agents connect to ``/0``, ``/1``, ..."""

    def __init__(self) -> None:
        self._agents: dict[int, Any] = {}
        self._commands: dict[int, tuple[int, str]] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await self._serve_agent(int(scope["path"][1:]), receive, send)
        else:
            await self._take(receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._database = await psycopg.AsyncConnection.connect(os.environ["FLOOR_DATABASE"], autocommit=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._database.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _commit(self, statement: str, *values: Any) -> Any:
        async with self._turn:
            cursor = await self._database.execute(statement.encode(), values, prepare=True)
            return await cursor.fetchone() if cursor.description else None

    async def _take(self, receive: Any, send: Any) -> None:
        left, agents, command = (await receive())["body"].decode().split(" ", 2)
        (step,) = await self._commit(_INSERT, int(left), int(agents), command)
        self._commands[step] = int(agents), command
        await self._push(step, int(left))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _push(self, step: int, left: int) -> None:
        agents, command = self._commands[step]
        text = f"{step} {left} {command if left == 1 else 'true'}"
        await self._agents[left % agents]({"type": "websocket.send", "text": text})

    async def _serve_agent(self, number: int, receive: Any, send: Any) -> None:
        await receive()
        self._agents[number] = send
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            step, left, _code = map(int, message["text"].split())
            if left > 1:
                await self._commit(_NEXT, left - 1, step)
                await self._push(step, left - 1)
            else:
                del self._commands[step]
                await self._commit(_DONE, step)


app = Floor()
