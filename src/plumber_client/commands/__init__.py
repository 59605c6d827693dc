"""The remote verbs: which there are. Each is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumber_core.terminal.language import N_, _

if TYPE_CHECKING:
    from cyclopts import App

Verbs = tuple[tuple[str, str], ...]
"""Verb (``list_`` and ``continue_`` in their modules) and help."""

TOP: tuple[tuple[str, str, str], ...] = (
    ("session:login", "login", N_("Log in to a server and remember it.")),
    ("session:logout", "logout", N_("End the session and forget it.")),
    ("session:whoami", "whoami", N_("Show who you are, and where.")),
    ("session:set_config", "set-config", N_("Remember a server's address and credential.")),
    ("adhoc:exec_", "exec", N_("Run a command on every matching server and watch it.")),
)
GROUPS: dict[str, tuple[str, Verbs]] = {
    "task": (
        N_("Tasks: define, check and run them."),
        (
            ("apply", N_("Create a task or save its next revision from a file.")),
            ("validate", N_("Check a task file; every problem is shown with its line.")),
            ("plan", N_("Show what a run would do now, and where.")),
            ("list", N_("List tasks.")),
            ("show", N_("Show a task's source.")),
            ("info", N_("The same as show.")),
            ("run", N_("Start a task.")),
            ("history", N_("List a task's revisions.")),
            ("diff", N_("Compare two revisions of a task; without numbers, the two newest.")),
            ("delete", N_("Delete a task; its executions stay.")),
        ),
    ),
    "execution": (
        N_("Executions: follow, read and end runs of tasks."),
        (
            ("list", N_("List executions, newest first.")),
            ("show", N_("Show every step on every host.")),
            ("watch", N_("Follow an execution live to its end.")),
            ("logs", N_("Print the output of an execution.")),
            ("cancel", N_("End an execution, or only a host or a step of it.")),
            ("pause", N_("Start no further step until it is continued; what runs ends as it may.")),
            ("continue", N_("Let a paused execution go on where it was.")),
            ("go", N_("Go on with a rollout that waits between two batches.")),
            ("resume", N_("Go on with what has failed or was cancelled; what has ended well is kept.")),
            ("retry", N_("Try a step again that has ended badly on one host.")),
            ("skip", N_("Pass over a step that has ended badly on one host.")),
            ("done", N_("Say that a step that has ended badly on one host was done by hand.")),
            ("rerun", N_("Run the same revision with the same parameters again.")),
        ),
    ),
    "agent": (
        N_("Agents: the programs on your servers."),
        (
            ("list", N_("List agents.")),
            ("show", N_("Show an agent.")),
            ("match", N_("Show who a target expression means, who nearly, and why not.")),
            ("create", N_("Create an agent and its agent.json.")),
            ("enroll", N_("Create a one-time token with which a server enrols itself.")),
            ("label", N_("Set labels (NAME=VALUE) or remove them (NAME-).")),
            ("drain", N_("Hand out no new steps; running ones end.")),
            ("activate", N_("Hand out steps again.")),
            ("disable", N_("Hand out no new steps and let no new execution target the agent.")),
            ("waive", N_("Wait no longer for what an agent has not told since the database lost commits.")),
            ("strays", N_("List what an agent ran that the database does not know.")),
            ("rotate", N_("Issue a new credential; the old one lives until the new one is first used.")),
            ("revoke", N_("Refuse the agent from now on.")),
            ("delete", N_("Forget an agent; its history stays.")),
        ),
    ),
    "group": (
        N_("Groups: target expressions that have a name."),
        (
            ("list", N_("List groups and how many agents they mean now.")),
            ("save", N_("Give a target expression a name: group:NAME means it in any target.")),
            ("delete", N_("Forget a group.")),
        ),
    ),
    "notification": (
        N_("Notifications: who was told what, and what could not be delivered."),
        (
            ("channels", N_("List the channels and what waits on each.")),
            ("list", N_("List notifications, newest first.")),
            ("test", N_("Send a notification to a channel now.")),
            ("retry", N_("Try a notification again now, also one that was given up.")),
        ),
    ),
    "subscriber": (
        N_("Event subscribers: plugins that hear what happened."),
        (
            ("list", N_("List event subscribers, how much waits for each, and where one is stuck.")),
            ("retry", N_("Ask a stuck subscriber again now.")),
            ("skip", N_("Have a stuck subscriber go on behind the event that it cannot take.")),
        ),
    ),
    "token": (
        N_("API tokens for programs."),
        (
            ("create", N_("Create a token; it is printed this once.")),
            ("list", N_("List your tokens.")),
            ("revoke", N_("Revoke a token at once.")),
        ),
    ),
}
MODULES = {
    "task": "tasks",
    "execution": "executions",
    "agent": "agents",
    "group": "groups",
    "notification": "notifications",
    "subscriber": "subscribers",
    "token": "tokens",
}


def register(cli: App) -> None:
    """Add the remote verbs to the root command."""
    from cyclopts import App

    for noun, (help_text, verbs) in GROUPS.items():
        group = App(name=noun, help=_(help_text))
        for verb, verb_help in verbs:
            function = f"{verb}_" if verb in ("list", "continue") else verb
            group.command(f"{__name__}.{MODULES[noun]}:{function}", name=verb, help=_(verb_help))
        cli.command(group)
    for body, verb, verb_help in TOP:
        cli.command(f"{__name__}.{body}", name=verb, help=_(verb_help))
