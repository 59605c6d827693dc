"""From an exit record to the outcome that is reported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from plumber_core.protocol.frames import STDERR, STDOUT
from plumber_core.protocol.messages import Outcome
from plumber_core.runner.attempts import Tracked
from plumber_core.runner.disk import DISK, Disk
from plumber_core.runner.outputs import BadOutput, read_outputs

BAD_OUTPUT = "bad_output"
FORGOTTEN = Outcome(state="unknown", error="forgotten")
"""Of an attempt that was settled once and that a restored database asks for again."""


def outcome_of(tracked: Tracked, boot_id: str, output_file: Path, disk: Disk = DISK) -> Outcome:
    """Return what is reported of an attempt that has ended.

    The log's digests stay empty when some of its bytes had been given back before this process could read them:
    the server has those bytes, and an agent that did not see them vouches for nothing. Nor does one whose machine has
    been started again since: what its disk holds may be another thing than what it was told to.

    Values that were written and are not there any more, after a loss of power or because a full disk needed the room,
    are missed: nothing succeeds without them.
    """
    if tracked.masked and tracked.state == "unknown":
        # Nobody has taken its secrets out of what it wanted to hand on.
        return _with_log(_ending(tracked, boot_id), tracked, boot_id)
    written = tracked.exit.output if tracked.exit is not None else 0
    return _with_outputs(_with_log(_ending(tracked, boot_id), tracked, boot_id), output_file, written, disk)


def _ending(tracked: Tracked, boot_id: str) -> Outcome:
    exit = tracked.exit
    if tracked.state == "unknown" or exit is None:
        error = "supervisor_died" if tracked.boot_id == boot_id else "rebooted"
        detail = exit.detail if exit is not None else ""
        return Outcome(state="unknown", error=exit.error or error if exit is not None else error, detail=detail)
    return Outcome(
        state=exit.state,
        exit_code=exit.exit_code,
        signal=exit.signal,
        error=exit.error,
        detail=exit.detail,
        duration=exit.duration,
        orphans=exit.orphans,
        oom=exit.oom,
    )


def _with_log(outcome: Outcome, tracked: Tracked, boot_id: str) -> Outcome:
    digest, end = tracked.digest, tracked.log_end
    if digest.position != end or tracked.boot_id != boot_id:
        return dataclasses.replace(outcome, log_end=end)
    return dataclasses.replace(
        outcome,
        log_end=end,
        bytes_stdout=digest.length(STDOUT),
        bytes_stderr=digest.length(STDERR),
        sha256_stdout=digest.hexdigest(STDOUT),
        sha256_stderr=digest.hexdigest(STDERR),
    )


def _with_outputs(outcome: Outcome, output_file: Path, written: int, disk: Disk) -> Outcome:
    try:
        return dataclasses.replace(outcome, outputs=read_outputs(output_file, disk, written=written))
    except BadOutput as error:
        if outcome.state != "succeeded":
            return outcome
        return dataclasses.replace(outcome, state="failed", error=BAD_OUTPUT, detail=str(error))
