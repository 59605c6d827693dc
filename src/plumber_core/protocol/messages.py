"""What agents and the control plane say to each other: transport-free, plain dataclasses, JSON values only.

The transports (WebSocket, long poll, in-process) carry these messages; none of them adds a meaning. Rules: the
design's section 5 and ``docs/explanation/protocol.md``. Durations are seconds, offsets count bytes of one attempt's
log (see ``protocol/frames.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from plumber_core.model.limits import CANCEL_GRACE

PROTOCOL_VERSION = 1

HeldState = Literal["spawning", "running", "exited", "void", "unknown"]
DISK_PRESSURE, STOPPING, RESTARTING = "disk_pressure", "stopping", "restarting"
REFUSALS = (DISK_PRESSURE, STOPPING, RESTARTING)
"""Why an agent takes no steps for now."""
OutcomeState = Literal["succeeded", "failed", "timed_out", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step, rendered: all that an agent needs to run it.

    ``uses`` is the executor's kind; ``params`` its parameters (``shell`` takes ``run`` and ``shell``). With
    ``stop_after`` the supervisor ends the command when the newest recorded renewal (``Renewed.recorded``), or the
    one that the permit counts from, was sent longer ago than this.
    """

    execution: str
    task: str
    step: str
    index: int
    uses: str
    params: dict[str, Any]
    env: dict[str, str]
    path: str | None = None
    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = CANCEL_GRACE
    stdin: str | None = None
    clean_environment: bool = True
    stop_after: float | None = None
    secrets: dict[str, Any] | None = None
    """``env``: variable -> reference; ``with``: where in ``params`` which of them stand, ``[path, parts]`` each."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt handed out.

    In the short form (``permit`` true) it carries the leave to start: ``session`` is the starter, ``beat`` the
    number of the renewal that the permit counts from. In the long form the agent asks with ``Start`` first.
    """

    attempt: str
    session: str
    beat: int
    epoch: int
    spec: StepSpec
    permit: bool = True
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """One attempt that the agent's journal knows. ``log_end`` is what the spool holds; ``about`` are the names of its
    task and step, told with the greeting for a server that has forgotten them."""

    attempt: str
    state: HeldState
    log_end: int = 0
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecutorInfo:
    """One executor that the agent can run, with the JSON Schema of its parameters."""

    kind: str
    schema: dict[str, Any] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens a session. ``token`` is the last session's token (the chain), ``nonce`` is the same in a repeat.

    ``install`` names the state folder for as long as that exists; empty from an agent that does not say it.
    """

    incarnation: int
    nonce: str
    boot_id: str
    epoch: int | None
    version: str
    token: str | None = None
    slots: int = 8
    facts: dict[str, str] = field(default_factory=dict)
    executors: tuple[ExecutorInfo, ...] = ()
    have: tuple[Held, ...] = ()
    protocol: int = PROTOCOL_VERSION
    install: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """An attempt that the server believes to be here and that ``have`` did not name: a question, never evidence."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Cancel:
    """TERM, ``grace``, KILL; with ``kill`` at once."""

    attempt: str
    grace: float | None = None
    kill: bool = False


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The server's durable end of one attempt's log: bytes below it may be deleted."""

    attempt: str
    end: int


@dataclass(frozen=True, slots=True)
class Settled:
    """The server has the outcome and every log byte of this attempt: the spool may be removed."""

    attempt: str


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The server is going away; come back after ``delay`` (spread, so that nobody stampedes)."""

    delay: float = 0.0


Delivery = Assignment | Ask | Cancel | LogEnd | Settled | Goodbye
"""What the server pushes without being asked."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to ``Hello``: ``status`` is ``ok``, ``epoch`` (say hello again with this epoch and a fresh inventory, in
    which is also what was settled within the last ``forgotten`` seconds: the database may not know it any more),
    ``stale`` (this is a restored image) or ``conflict`` (a clone is alive)."""

    status: Literal["ok", "epoch", "stale", "conflict"]
    epoch: int
    session: str = ""
    agent: str = ""
    name: str = ""
    heartbeat: float = 1.0
    permit_ttl: float = 5.0
    lease: float = 30.0
    deliveries: tuple[Ask | Cancel | LogEnd | Settled, ...] = ()
    forgotten: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a host is: processes that want a CPU for each CPU, and the used share of its memory (0 to 1)."""

    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Heartbeat number ``beat`` of a session, with everything the journal holds.

    ``refuses`` says why the agent takes no steps for now (one of ``REFUSALS``), or nothing; ``load`` is given when it
    has changed.
    """

    session: str
    beat: int
    epoch: int
    have: tuple[Held, ...] = ()
    executors: tuple[ExecutorInfo, ...] | None = None
    refuses: str = ""
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class Renewed:
    """Answer to ``Renew``. ``recorded`` is the newest renewal of this session that the database knows of: an answer
    alone proves nothing to the other servers, which count silence from what is recorded."""

    epoch: int
    heartbeat: float
    deliveries: tuple[Ask | Cancel | LogEnd | Settled, ...] = ()
    recorded: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt, as the supervisor saw it.

    ``exit_code`` is None when a signal ended it or it never started; ``error`` is a code such as ``path_missing``,
    ``cannot_start``, ``supervisor_died``, ``rebooted`` with ``detail`` beside it. ``sha256_*`` close the log.
    """

    state: OutcomeState
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    detail: str = ""
    duration: float = 0.0
    log_end: int = 0
    bytes_stdout: int = 0
    bytes_stderr: int = 0
    sha256_stdout: str = ""
    sha256_stderr: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    orphans: int = 0
    oom: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The end of an attempt. ``tail`` are the log's last bytes from ``tail_offset`` on, when few were unsent
    (base64 on a text transport), so that a short step costs one message and one commit."""

    session: str
    attempt: str
    outcome: Outcome
    epoch: int = 0
    tail_offset: int = 0
    tail: bytes = b""


@dataclass(frozen=True, slots=True)
class Reported:
    """``recorded`` first, ``duplicate`` again, ``late`` beside an ended step, ``conflict`` another content,
    ``unknown`` for an attempt that is not this agent's. ``log_end`` is the durable end of its log."""

    status: Literal["recorded", "duplicate", "late", "conflict", "unknown"]
    log_end: int = 0
    next: Assignment | None = None


@dataclass(frozen=True, slots=True)
class NeverRan:
    """Proof, made durable by a void record, that an attempt did not and will not run."""

    session: str
    attempt: str
    boot_id: str
    reason: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """Long form: leave to start ``attempt``, asked in ``session``."""

    session: str
    attempt: str
    boot_id: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Permit:
    """``go`` starts, ``other`` another session started it, ``gone`` it is not current any more."""

    answer: Literal["go", "other", "gone"]


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Whole frames of one attempt's log from ``offset`` on, at most 1 MiB."""

    session: str
    attempt: str
    offset: int
    data: bytes
