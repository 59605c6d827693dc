"""``agent``: the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import RenderableType
from rich.text import Text

from plumber_client.commands.connect import server
from plumber_client.commands.matching import match as match
from plumber_client.commands.paging import ALL, first
from plumber_client.config import write_private
from plumber_core.errors import InvalidRequest
from plumber_core.model.views import AgentConfig, AgentView, StrayView
from plumber_core.terminal.asking import agreed
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
        page = await first(ALL, lambda size, at: plumber.agents.list(on=on, limit=size, cursor=at))
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


async def waive(
    agent: Agent,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), help=_("Do not ask."))] = False,
    output: Output = "table",
) -> None:
    """Wait no longer for what an agent has not told."""
    remark(_("{name} has not told what it ran in the commits that the database lost.", name=agent))
    remark(_("Without that the same steps may run a second time: nothing else keeps them from it."))
    if not yes and not agreed(_("Go on all the same?"), "--yes"):
        raise SystemExit(1)
    async with server() as plumber:
        _changed(await plumber.agents.waive(agent=agent), output)


async def strays(
    agent: Agent,
    /,
    *,
    limit: Annotated[int, Parameter(help=_("At most so many."))] = 50,
    output: Output = "table",
) -> None:
    """List what an agent ran for executions that the database has lost."""
    async with server() as plumber:
        page = await plumber.agents.strays(agent=agent, limit=limit)
    columns = [_("Task"), _("Step"), _("Result"), _("Told"), _("Attempt")]
    emit(page, output, lambda: table(columns, (_stray(one) for one in page.items)))


async def revoke(agent: Agent, /, *, output: Output = "table") -> None:
    """Refuse the agent."""
    async with server() as plumber:
        _changed(await plumber.agents.revoke(agent=agent), output)


async def delete(agent: Agent, /, *, output: Output = "table") -> None:
    """Forget an agent."""
    async with server() as plumber:
        done = await plumber.agents.delete(agent=agent)
    emit(done, output, lambda: safe(_("Deleted {name}.", name=agent)))


def _row(agent: AgentView) -> tuple[str | Text, ...]:
    labels = " ".join(f"{name}={value}" for name, value in sorted(agent.labels.items()))
    running = f"{agent.running}/{agent.slots}"
    presence, state = state_text(agent.presence), state_text(agent.state)
    return (agent.name, presence, state, running, labels, _heard(agent))


def _heard(agent: AgentView) -> str:
    return ago(agent.last_seen_at) or _("never")


def _load(agent: AgentView) -> str:
    if agent.load is None or agent.memory is None:
        return ""
    return _("CPU {cpu}, memory {memory}", cpu=f"{agent.load:.0%}", memory=f"{agent.memory:.0%}")


def _details(agent: AgentView) -> RenderableType:
    pairs: list[tuple[str, str | Text]] = [
        (_("Name"), agent.name),
        (_("Id"), agent.id),
        (_("Presence"), state_text(agent.presence)),
        (_("State"), state_text(agent.state)),
        *_troubles(agent),
        (_("Heard"), _heard(agent)),
        (_("Running"), f"{agent.running}/{agent.slots}"),
        (_("Load"), _load(agent)),
        (_("Labels"), " ".join(f"{name}={value}" for name, value in sorted(agent.labels.items()))),
        (_("Facts"), " ".join(f"{name}={value}" for name, value in sorted(agent.facts.items()))),
        (_("Executors"), " ".join(agent.executors)),
        (_("Version"), agent.version),
        (_("Created"), local_time(agent.created_at)),
    ]
    return fields(pairs)


def _stray(stray: StrayView) -> tuple[str | Text, ...]:
    if stray.state is None:
        result = _("not ended as far as known")
    elif stray.exit_code is not None:
        result = _("exit {code}", code=stray.exit_code)
    else:
        result = stray.error or stray.state
    return (stray.task, stray.step, result, local_time(stray.seen_at), stray.attempt)


def _troubles(agent: AgentView) -> list[tuple[str, str | Text]]:
    """Say what somebody should do something about."""
    found: list[tuple[str, str | Text]] = []
    if agent.conflict:
        advice = _("another copy of it is alive, and neither gets steps; the real one is whoever uses the result of")
        found.append((_("Conflict"), f"{advice} plumber agent rotate {agent.name}"))
    if agent.awaited:
        advice = _("gets no steps until it has told what it ran in commits that the database lost; if it never will:")
        found.append((_("Awaited"), f"{advice} plumber agent waive {agent.name}"))
    if agent.strays:
        text = _("{n} attempts that the database does not know:", n=agent.strays)
        found.append((_("Strays"), f"{text} plumber agent strays {agent.name}"))
    return found


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
