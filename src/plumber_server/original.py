"""The original's methods, unchanged: one table over the control plane and the engine's door for original agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from plumber_core.errors import InvalidRequest
from plumber_server import original_agents as agents
from plumber_server import original_people as people
from plumber_server.auth import Access

_CONFIG = ConfigDict(extra="ignore", strict=True)


@dataclass(frozen=True, slots=True)
class OriginalMethod:
    """``run`` takes the control plane (people) or the engine's door and a token (agents), then the parameters."""

    access: Access
    writes: bool
    params: type[BaseModel]
    run: Callable[..., Awaitable[Any]]
    completes: bool = False
    """``run`` also takes ``complete``, which puts this server's address into an agent.json."""

    def validate(self, params: Any) -> dict[str, Any]:
        """Return the parameters by name.

        Raises: InvalidRequest.
        """
        try:
            return dict(self.params.model_validate(params))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "params"
            reason = "is required" if first["type"] == "missing" else first["msg"].rstrip(".")
            raise InvalidRequest(field=field, reason=reason) from None


def _method(access: Access, writes: bool, run: Callable[..., Awaitable[Any]], **fields: Any) -> OriginalMethod:
    values: dict[str, Any] = {name: kind if isinstance(kind, tuple) else (kind, ...) for name, kind in fields.items()}
    model = create_model(run.__name__, __config__=_CONFIG, **values)
    return OriginalMethod(access, writes, model, run, "complete" in signature(run).parameters)


_NAME, _ID = {"name": str}, {"agent_id": str}
_TASK = {"name": str, "description": (str, ""), "config": str}
_CHANGE = {"name": (str | None, None), "description": (str | None, None), "config": (str | None, None)}
_HOST = {"agent_id": str, "hostname": (str, ""), "ip": (str, "")}
_REPORT = {"step_id": str, "status": str, "exit_code": (int | None, None), "output": (str, "")}

METHODS: dict[str, OriginalMethod] = {
    "plumber.user.login": _method("public", True, people.login, username=str, password=str),
    "plumber.agent.create": _method("person", True, people.create_agent, **_NAME),
    "plumber.agent.getConfig": _method("person", True, people.agent_config, **_ID),
    "plumber.agent.list": _method("person", False, people.list_agents),
    "plumber.agent.update": _method("person", True, people.update_agent, **_ID, **_NAME),
    "plumber.agent.delete": _method("person", True, people.delete_agent, **_ID),
    "plumber.task.create": _method("person", True, people.create_task, **_TASK),
    "plumber.task.update": _method("person", True, people.update_task, task_id=str, **_CHANGE),
    "plumber.task.list": _method("person", False, people.list_tasks),
    "plumber.task.run": _method("person", True, people.run_task, task_id=str),
    "plumber.execution.list": _method("person", False, people.list_executions, task_id=(str | None, None)),
    "plumber.execution.get": _method("person", False, people.get_execution, execution_id=str),
    "plumber.agent.register": _method("agent", True, agents.register, **_HOST),
    "plumber.agent.heartbeat": _method("agent", True, agents.heartbeat, **_ID),
    "plumber.agent.pollTask": _method("agent", True, agents.poll_task, **_ID),
    "plumber.step.report": _method("agent", True, agents.report, **_REPORT),
}
