"""``agent``: the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import RenderableType
from rich.text import Text

from plumber_client.commands.connect import server
from plumber_client.config import write_private
from plumber_core.errors import InvalidRequest
from plumber_core.model.views import AgentConfig, AgentView
from plumber_core.terminal.console import out, remark
from plumber_core.terminal.durations import ago, local_time
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output, parse_pairs
from plumber_core.terminal.output import emit, fields, json_text, safe, table
from plumber_core.terminal.words import state_text

Agent = Annotated[str, Parameter(help=_("The agent's name or id."))]
Labels = Annotated[
    list[str], Parameter(name=("--label", "-l"), negative=(), help=_("A label as NAME=VALUE; may be repeated."))
]
OutputOrFile = Annotated[
    str,
    Parameter(name=("--output", "-o"), help=_("table, json, or the file to write agent.json to.")),
]


async def list_(
    *,
    on: Annotated[str, Parameter(help=_("Only agents that match this target expression."))] = "all",
    output: Output = "table",
) -> None:
    """List agents."""
    async with server() as plumber:
        page = await plumber.agents.list(on=on)
    columns = [_("Name"), _("Presence"), _("State"), _("Running"), _("Labels"), _("Heard")]
    emit(page, output, lambda: table(columns, (_row(agent) for agent in page.items)))


async def show(agent: Agent, /, *, output: Output = "table") -> None:
    """Show an agent."""
    async with server() as plumber:
        view = await plumber.agents.show(agent=agent)
    emit(view, output, lambda: _details(view))


async def create(
    name: Annotated[str, Parameter(help=_("A name for the agent, such as its server's."))],
    /,
    *,
    label: Labels = [],  # noqa: B006
    slots: Annotated[int, Parameter(help=_("Steps that it may run at the same time."))] = 8,
    output: OutputOrFile = "table",
) -> None:
    """Create an agent; its agent.json goes to a file or to standard output."""
    labels = parse_pairs(label, "--label")
    async with server() as plumber:
        created = await plumber.agents.create(name=name, labels=labels, slots=slots)
    if output == "json":
        emit(created, output, lambda: "")
    else:
        _hand_over(created.config, output)


async def rotate(agent: Agent, /, *, output: OutputOrFile = "table") -> None:
    """Issue a new credential."""
    async with server() as plumber:
        issued = await plumber.agents.rotate(agent=agent)
    _hand_over(issued, output)


async def enroll(
    *,
    name: Annotated[str, Parameter(help=_("A name for the agent; else its server's."))] = "",
    label: Labels = [],  # noqa: B006
    minutes: Annotated[int, Parameter(help=_("How long the token can be used."))] = 60,
    output: Output = "table",
) -> None:
    """Print the command that enrols a server."""
    async with server() as plumber:
        enrolment = await plumber.agents.enroll(
            name=name or None, labels=parse_pairs(label, "--label"), minutes=minutes
        )
    if output == "table":
        remark(_("Run this on the server, before {time}:", time=local_time(enrolment.expires_at)))
    emit(enrolment, output, lambda: safe(enrolment.command))


async def label(
    agent: Agent,
    /,
    *changes: Annotated[str, Parameter(help=_("NAME=VALUE sets a label, NAME- removes it."))],
    output: Output = "table",
) -> None:
    """Change some labels and keep the others."""
    gone = {change[:-1] for change in changes if change.endswith("-") and "=" not in change}
    new = parse_pairs([change for change in changes if change[:-1] not in gone], "LABEL")
    async with server() as plumber:
        view = await plumber.agents.show(agent=agent)
        kept = {name: value for name, value in view.labels.items() if name not in gone}
        view = await plumber.agents.update(agent=agent, labels=kept | new)
    emit(view, output, lambda: _details(view))


async def drain(agent: Agent, /, *, output: Output = "table") -> None:
    """Hand out no new steps."""
    async with server() as plumber:
        _changed(await plumber.agents.drain(agent=agent), output)


async def activate(agent: Agent, /, *, output: Output = "table") -> None:
    """Hand out steps again."""
    async with server() as plumber:
        _changed(await plumber.agents.activate(agent=agent), output)


async def disable(agent: Agent, /, *, output: Output = "table") -> None:
    """Let nothing new run there."""
    async with server() as plumber:
        _changed(await plumber.agents.disable(agent=agent), output)


async def revoke(agent: Agent, /, *, output: Output = "table") -> None:
    """Refuse the agent."""
    async with server() as plumber:
        _changed(await plumber.agents.revoke(agent=agent), output)


async def delete(agent: Agent, /) -> None:
    """Forget an agent."""
    async with server() as plumber:
        await plumber.agents.delete(agent=agent)
    out().print(safe(_("Deleted {name}.", name=agent)))


def _row(agent: AgentView) -> tuple[str | Text, ...]:
    labels = " ".join(f"{name}={value}" for name, value in sorted(agent.labels.items()))
    running = f"{agent.running}/{agent.slots}"
    presence, state = state_text(agent.presence), state_text(agent.state)
    return (agent.name, presence, state, running, labels, _heard(agent))


def _heard(agent: AgentView) -> str:
    return ago(agent.last_seen_at) or _("never")


def _details(agent: AgentView) -> RenderableType:
    pairs: list[tuple[str, str | Text]] = [
        (_("Name"), agent.name),
        (_("Id"), agent.id),
        (_("Presence"), state_text(agent.presence)),
        (_("State"), state_text(agent.state)),
        (_("Heard"), _heard(agent)),
        (_("Running"), f"{agent.running}/{agent.slots}"),
        (_("Labels"), " ".join(f"{name}={value}" for name, value in sorted(agent.labels.items()))),
        (_("Facts"), " ".join(f"{name}={value}" for name, value in sorted(agent.facts.items()))),
        (_("Executors"), " ".join(agent.executors)),
        (_("Version"), agent.version),
        (_("Created"), local_time(agent.created_at)),
    ]
    return fields(pairs)


def _changed(agent: AgentView, output: str) -> None:
    emit(agent, output, lambda: safe(f"{agent.name}  {state_text(agent.state).plain}"))


def _hand_over(config: AgentConfig, output: str) -> None:
    """Write agent.json to a private file, or print it."""
    text = json_text(config) + "\n"
    if output in ("table", "json"):
        remark(_("Save this as agent.json on the server; the token is not shown again."))
        out().file.write(text)
        return
    try:
        write_private(Path(output), text)
    except OSError as error:
        raise InvalidRequest(field=output, reason=error.strerror or str(error)) from error
    out().print(safe(_("Written: {file}", file=output)))
