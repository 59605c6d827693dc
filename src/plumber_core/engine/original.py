"""The original's agents: four calls, one step at a time, no sessions.

A step is handed out once and never again, whatever becomes of the reply: at most once holds for them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.logs import LogWriter
from plumber_core.errors import InvalidRequest, NotFound, Unauthenticated
from plumber_core.ids import new_nonce, secret_hash
from plumber_core.model.records import Claim, StepRow
from plumber_core.model.states import Actor, AgentState, StepState
from plumber_core.protocol.frames import HEADER, MAX_CHUNK, MAX_FRAME, STDOUT, encode_frame

SESSION = "original"


class OriginalAgents:
    """What the prototype's agents ask for."""

    def __init__(self, engine: Engine, logs: LogWriter) -> None:
        self._engine = engine
        self._logs = logs

    async def register(self, token: str, agent_id: str, hostname: str, ip: str) -> None:
        """Take note of an agent that starts.

        Raises: Unauthenticated.
        """
        await self._authenticate(token, agent_id)
        session = secret_hash(SESSION + agent_id)
        values = {
            "session": session,
            "original": True,
            "facts": {"hostname": hostname[:256], "ip": ip[:64], "os": "linux"},
            "slots": 1,
            "conflict": False,
        }
        # It cannot tell what it did before: in a later epoch it gets nothing until somebody has vouched for it.
        await self._engine.store.open_session(
            agent_id, lambda row, epoch: values | ({"session_epoch": epoch} if row.session is None else {})
        )
        self._engine.fleet.stale()

    async def heartbeat(self, token: str, agent_id: str) -> None:
        """Note that the agent lives.

        Raises: Unauthenticated.
        """
        await self._authenticate(token, agent_id)
        self._engine.connections.hear(agent_id)

    async def poll(self, token: str, agent_id: str) -> dict[str, Any] | None:
        """Hand out the next step, unless one is being run.

        Raises: Unauthenticated.
        """
        await self._authenticate(token, agent_id)
        if await self._engine.store.live_steps(agent_id):
            return None
        session = secret_hash(SESSION + agent_id)
        rows = await self._engine.store.claim(agent_id, session, limit=1, beat=0, boot_id="", nonce=new_nonce())
        row = rows[0] if rows else await self._of_a_pool(agent_id, session)
        if row is None:
            return None
        self._engine.counts["plumber_assigned_by_poll_total"] += 1
        self._engine.wakeups.changed(row.execution_id)
        spec = row.spec or {}
        return {"step_id": row.attempt_id, "path": spec.get("path") or "", "command": _command(spec)}

    async def _of_a_pool(self, agent_id: str, session: str) -> StepRow | None:
        """Claim and start a step that others could run, too: such an agent starts whatever it is given."""
        claim = Claim(agent_id, session, 0, "", new_nonce())
        row = await self._engine.store.claim_pooled(claim, self._engine.patience.lost_after)
        if row is None or not await self._engine.store.start(row.attempt_id or "", agent_id, session, ""):
            return None
        return row

    async def report(self, token: str, step_id: str, status: str, exit_code: int | None, output: str) -> None:
        """Record how a step ended, with its output.

        Raises: Unauthenticated, NotFound (not this agent's), InvalidRequest.
        """
        agent = await self._authenticate(token, None)
        if status not in ("success", "failed"):
            raise InvalidRequest(field="status", reason="it must be success or failed")
        found = await self._engine.store.step_of(step_id)
        if found is None or found[1].agent_id != agent:
            raise NotFound(kind="step", name=step_id)
        end = 0
        for chunk in _chunks(output.encode("utf-8", "replace")):
            if found[1].ended_at is None:
                await self._logs.append(agent, self._engine.epoch, step_id, end, chunk)
            end += len(chunk)
        state = StepState.SUCCEEDED if status == "success" else StepState.FAILED
        outcome = {"state": state.value, "exit_code": exit_code, "log_end": end}
        done = await finish(self._engine, Ending(AttemptRef.parse(step_id), agent, state, Actor.AGENT, outcome))
        if not done.recorded and await self._engine.store.store_late(step_id, agent, outcome) == "conflict":
            raise InvalidRequest(field="step_id", reason="this step has already ended otherwise")

    async def _authenticate(self, token: str, agent_id: str | None) -> str:
        credential = await self._engine.store.find_credential(secret_hash(token))
        if credential is None or credential.kind != "agent" or agent_id not in (None, credential.owner):
            raise Unauthenticated
        row = (await self._engine.fleet.fresh_enough()).rows.get(credential.owner)
        if row is not None and row.state is AgentState.REVOKED:
            raise Unauthenticated
        if credential.last_used_at is None:
            await self._engine.store.touch_agent_credential(credential.id, credential.owner)
        return credential.owner


def _command(spec: dict[str, Any]) -> str:
    """Return what ``sh -c`` is given. The original's protocol has no environment: it goes in front."""
    import shlex

    exports = [f"export {name}={shlex.quote(value)}; " for name, value in spec.get("env", {}).items()]
    return "".join(exports) + str(spec.get("params", {}).get("run", ""))


def _chunks(output: bytes) -> Iterator[bytes]:
    """Yield frames in pieces as other agents send them, each a row of the log."""
    frames = MAX_CHUNK // (MAX_FRAME + HEADER.size)
    for begin in range(0, len(output), frames * MAX_FRAME):
        part = output[begin : begin + frames * MAX_FRAME]
        yield b"".join(encode_frame(STDOUT, 0, part[n : n + MAX_FRAME]) for n in range(0, len(part), MAX_FRAME))
