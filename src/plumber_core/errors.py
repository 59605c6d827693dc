"""Every error that Plumber raises, as one tree.

    PlumberError
    ├── InvalidRequest            a value that cannot be accepted; names the field
    │   ├── ValidationFailed      a task file with problems, each at its line
    │   ├── NotSupportedYet       a key of the task language without an engine behind it
    │   ├── NobodyMatches         a target that matches no agent
    │   └── TooLarge              over a stated limit
    ├── Unauthenticated           no credential, or a bad one
    ├── Forbidden                 a good credential that may not do this
    ├── RateLimited               too many tries; says when to come back
    ├── NotFound                  what was named does not exist (or may not be seen)
    ├── Conflict                  the request was right but the state has moved on
    │   ├── TransitionRefused     an edge that the transition table does not have
    │   ├── ExecutionTimeout      an execution was ended because its time was over
    │   ├── AlwaysTimeout         so were the steps that always run
    │   ├── TooFewHosts           an execution was ended because too many hosts were offline
    │   ├── OverlapSkipped        an execution was not begun because another one runs
    │   ├── QueueFull             an execution was not begun because too many wait already
    │   ├── Replaced              an execution was ended because a newer one takes its place
    │   ├── QueueTimeout          an execution was not begun because it has waited for too long
    │   └── Gone                  what was asked for has been deleted by retention
    ├── Unavailable               the database or server cannot answer now; try again
    │   ├── Unreachable           the other end could not be reached at all
    │   ├── SupervisorGone        the process that owns an agent's commands died
    │   └── SpoolUnwritable       an agent's state folder is full or failing
    ├── StartupError              the process cannot start as configured
    │   ├── BadDatabaseUrl
    │   ├── SchemaTooNew
    │   ├── MissingExtra
    │   ├── LinkBusy              another process works with the same state folder
    │   ├── AgentRefused          the server does not accept an agent's credential
    │   ├── AgentCopied           an agent started from an old copy of its state folder
    │   └── PluginBroken
    └── ProtocolError             the other end of a protocol sent what it may not send

An error is a ``code`` with arguments. The sentence is made where somebody reads it, in their language:
``message`` and ``hint`` are gettext identifiers that live in ``plumber_core/locales``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from plumber_core.locales import translate
from plumber_core.reasons import Because, coded, spoken


class PlumberError(Exception):
    """Root of the tree.

    Arguments are keyword only and must be JSON values: they cross the API beside the code.
    """

    code: ClassVar[str] = "error"
    message: ClassVar[str] = "Something went wrong."
    hint: ClassVar[str] = ""

    def __init__(self, **arguments: Any) -> None:
        if isinstance(reason := arguments.get("reason"), Because):
            arguments["because"] = coded(reason)
        phrases = {name: coded(it) for name, it in arguments.items() if isinstance(it, Because) and name != "reason"}
        if phrases:
            arguments["phrases"] = phrases
        self.arguments = arguments
        super().__init__(arguments)

    def explain(self, language: str = "en") -> str:
        """Return the sentence for people: what happened and why."""
        told = {name: _in(language, value) for name, value in self.arguments.items() if name in _TRANSLATED}
        phrases = {**(self.arguments.get("phrases") or {}), "reason": self.arguments.get("because")}
        told |= {name: said for name, phrase in phrases.items() if (said := spoken(phrase, language)) is not None}
        return translate(self.message, language).format_map(_Arguments(self.arguments | told))

    def advise(self, language: str = "en") -> str:
        """Return what to do next, or an empty string."""
        return translate(self.hint, language).format_map(_Arguments(self.arguments)) if self.hint else ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.explain(), self.advise()) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.arguments))


_TRANSLATED = ("reason", "kind")
"""Arguments whose text is written by Plumber itself, so that a catalogue may know it."""


def _in(language: str, value: Any) -> Any:
    return translate(value, language) if isinstance(value, str) else value


class _Arguments(dict[str, Any]):
    """Format arguments that never raise: an error about an error helps nobody."""

    def __missing__(self, key: str) -> str:
        return "?"


def _rebuild(kind: type[PlumberError], arguments: dict[str, Any]) -> PlumberError:
    return kind(**arguments)


class InvalidRequest(PlumberError):
    """``field`` names what is wrong, ``reason`` says why, ``because`` the same as a code with arguments."""

    code = "invalid_request"
    message = "{field}: {reason}."


class ValidationFailed(InvalidRequest):
    """``problems`` is a list of ``model.problems.Problem`` as dictionaries."""

    code = "validation_failed"
    message = "The task has {count} problem(s)."
    hint = "Run `plumber task validate -f FILE` to see each with its line."

    def __init__(self, **arguments: Any) -> None:
        arguments.setdefault("count", len(arguments.get("problems", ())))
        super().__init__(**arguments)


class NotSupportedYet(InvalidRequest):
    """``key`` belongs to the task language, but this release has no engine for it."""

    code = "not_supported_yet"
    message = "{key} is not supported by this release."
    hint = "Remove the key: ignoring it silently would run something else than you wrote."


class NobodyMatches(InvalidRequest):
    """``target`` is the expression, ``step`` the step that it stands in, ``reason`` the likeliest why."""

    code = "nobody_matches"
    message = "Step {step}: no agent matches {target}."
    hint = "`plumber agent match EXPRESSION` says who nearly does; with `allow_empty: true` the step may have no host."

    def explain(self, language: str = "en") -> str:
        """Return the sentence, with the reason in brackets when there is one."""
        why = spoken(self.arguments.get("because"), language)
        return super().explain(language) + (f" ({why})" if why else "")


class TooLarge(InvalidRequest):
    """``limit`` and ``actual`` are numbers of ``unit``."""

    code = "too_large"
    message = "{field} is too large: {actual} {unit}, at most {limit}."


class Unauthenticated(PlumberError):
    """The same answer for a missing, a wrong, an expired and a revoked credential."""

    code = "unauthenticated"
    message = "A valid credential is required."
    hint = "Log in with `plumber login URL`, or send `Authorization: Bearer TOKEN`."


class WrongPassword(Unauthenticated):
    """The same answer for an unknown user and a wrong password."""

    code = "wrong_password"
    message = "User name or password is wrong."
    hint = ""


class Forbidden(PlumberError):
    """``action`` is the operation that was refused."""

    code = "forbidden"
    message = "You may not do this: {action}."
    hint = "Ask an administrator for the right."


class RateLimited(PlumberError):
    """``retry_after`` is in seconds."""

    code = "rate_limited"
    message = "Too many tries."
    hint = "Try again in {retry_after} s."


class NotFound(PlumberError):
    """``kind`` is the noun, ``name`` what was asked for, ``nearest`` the closest existing name or ``None``."""

    code = "not_found"
    message = "There is no {kind} {name}."


class Conflict(PlumberError):
    """``reason`` says what moved on."""

    code = "conflict"
    message = "{reason}."


class TransitionRefused(Conflict):
    """``current`` and ``wanted`` are states, ``event`` what was asked."""

    code = "transition"
    message = "A step that is {current} cannot become {wanted}."


class Gone(Conflict):
    """``kind`` is the noun, ``name`` what was asked for, ``at`` when it was deleted."""

    code = "gone"
    message = "{kind} {name} was deleted on {at}: it was older than what is kept."
    hint = "PLUMBER_RETENTION_DAYS and PLUMBER_RETENTION_LAST say what is kept."


class LeftOut(Conflict):
    """An execution was resumed in part; ``steps`` counts those that were left out and have not ended well."""

    code = "left_out"
    message = "All that was resumed has ended, and {steps} step(s) that were left out have not ended well."
    hint = "`plumber execution resume ID` runs what is left."


class ExecutionTimeout(Conflict):
    """An execution was ended because its ``timeout``, in seconds, was over."""

    code = "execution_timeout"
    message = "The execution took longer than its timeout of {timeout} s."


class AlwaysTimeout(Conflict):
    """The steps that always run were ended after ``timeout`` seconds, so that their execution ends."""

    code = "always_timeout"
    message = "The steps that always run took longer than {timeout} s together, waiting for their agents included."


class TooFewHosts(Conflict):
    """Of the ``hosts`` of ``step`` only so many were ``there``, and ``needed`` would have had to be."""

    code = "too_few_hosts"
    message = "Too many hosts were offline: {there} of {hosts} were there for {step}, {needed} are needed."


class OverlapSkipped(Conflict):
    """``by`` is the execution with the same ``key`` that was there before."""

    code = "overlap_skipped"
    message = "It was not run: execution {by} with the key {key} was there before, and the task skips then."


class QueueFull(Conflict):
    """``limit`` executions with this ``key`` may wait, and do."""

    code = "queue_full"
    message = "It was not run: {limit} execution(s) with the key {key} wait already."


class Replaced(Conflict):
    """``by`` is the newer execution with the same key."""

    code = "replaced"
    message = "Execution {by} has taken its place."


class QueueTimeout(Conflict):
    """It was queued for longer than its ``timeout``, in seconds."""

    code = "queue_timeout"
    message = "It was not run: it has waited for its turn for longer than {timeout} s."


class Unavailable(PlumberError):
    """The database or the server cannot answer now."""

    code = "unavailable"
    message = "Plumber cannot answer now: {reason}."
    hint = "Nothing was changed. Try again in a moment."


class Unreachable(Unavailable):
    """``url`` could not be reached."""

    code = "unreachable"
    message = "Cannot reach {url}: {reason}."
    hint = "Is the server running, and is the address right?"


class SupervisorGone(Unavailable):
    """The supervisor of an agent's commands died, and they with it."""

    code = "supervisor_gone"
    message = "The supervisor of this agent's commands is gone."
    hint = "Attach again: what it ran is then reported as unknown."


class SpoolUnwritable(Unavailable):
    """``reason`` is what the file system said."""

    code = "spool_unwritable"
    message = "The agent's state folder cannot be written: {reason}."
    hint = "Nothing was started. Free some disk and try again."


class StartupError(PlumberError):
    """The process cannot start as configured."""

    code = "startup"
    message = "Cannot start: {reason}."


class BadDatabaseUrl(StartupError):
    """``reason`` never contains the password."""

    code = "bad_database_url"
    message = "DATABASE_URL cannot be used: {reason}."
    hint = "Use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."


class SchemaTooNew(StartupError):
    """``found`` is the revision in the database, ``known`` the newest that this release knows."""

    code = "schema_too_new"
    message = "The database was written by a newer release (schema {found}; this release knows {known})."
    hint = "Start the newer release, or restore a backup made before the upgrade."


class MissingExtra(StartupError):
    """``extra`` is the optional dependency to install."""

    code = "missing_extra"
    message = "{feature} needs packages that are not installed."
    hint = "Install them with: pip install 'plumber-fleet[{extra}]'"


class LinkBusy(StartupError):
    """``pid`` is the process that holds the state folder ``folder``."""

    code = "link_busy"
    message = "Process {pid} already works with {folder}."
    hint = "Stop it first, or give this one another --state-dir."

    @property
    def pid(self) -> int:
        """The process that holds the folder."""
        return int(self.arguments["pid"])


class AgentRefused(StartupError):
    """``url`` is the server; the credential was revoked, deleted or never good."""

    code = "agent_refused"
    message = "{url} does not accept this agent's credential."
    hint = "Get a new agent.json: `plumber agent create NAME`, or enrol again with `plumber-agent --enroll URL`."


class AgentCopied(StartupError):
    """The server has heard a newer incarnation of this agent."""

    code = "agent_copied"
    message = "This agent was started from an old copy: the server has heard a newer one."
    hint = "If this is a restored machine, give it an identity of its own: `plumber-agent --enroll URL`."


class PluginBroken(StartupError):
    """``plugin`` is ``name`` with its distribution, ``reason`` what is wrong with it."""

    code = "plugin_broken"
    message = "Plugin {plugin} cannot be used: {reason}."
    hint = "Fix or uninstall it, or start with PLUMBER_DISABLE_PLUGINS={name}."

    def __init__(self, **arguments: Any) -> None:
        arguments.setdefault("name", str(arguments.get("plugin", "")).partition(" ")[0])
        super().__init__(**arguments)


class ProtocolError(PlumberError):
    """The other end of a protocol sent what it may not send."""

    code = "protocol"
    message = "Protocol error: {reason}."


def error_classes() -> dict[str, type[PlumberError]]:
    """Return every error class by its code, for whoever turns a code back into an error."""
    found: dict[str, type[PlumberError]] = {}
    waiting: list[type[PlumberError]] = [PlumberError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return found
