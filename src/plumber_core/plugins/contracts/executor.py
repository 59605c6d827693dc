"""Executors: what carries out one type of step. Runs in: executor host, a child of the supervisor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from plumber_core.plugins.contracts.base import PluginObject
from plumber_core.plugins.contracts.command import Command
from plumber_core.plugins.contracts.step_context import StepContext

if TYPE_CHECKING:
    from pydantic import BaseModel

P = TypeVar("P", bound="BaseModel")
Outputs = Mapping[str, str] | None


class Executor(PluginObject, ABC, Generic[P]):
    """One type of step: ``uses: KIND`` with parameters under ``with:``.

    ``Params`` is a pydantic model; agents announce its JSON Schema, which gives the step its form in the
    page and its validation when a task is saved. Keys that the model does not know are refused unless it
    says otherwise. One object serves every step of its kind: keep nothing of a step on ``self``.
    """

    kind: ClassVar[str]
    Params: type[P]

    def summary(self, params: P) -> str:
        """Return one line that says what will be done; it is shown in plans and logs, so no secrets."""
        return self.kind

    @abstractmethod
    async def run(self, ctx: StepContext, params: P) -> Outputs:
        """Carry out the step.

        Returns: outputs to add to ``ctx.outputs``, or None.

        Raises:
            StepFailed: the attempt failed. Any other exception fails it too, with its traceback in the log.
            CancelledError: arrives when the step is cancelled or out of time; clean up and let it through.
        """

    def command(self, params: P) -> Command | None:
        """Return the process that the step consists of, or None to be run with ``run``."""
        return None

    def describe(self) -> str:
        """Return one sentence about this type of step: by default the first line of the docstring."""
        return (type(self).__doc__ or self.kind).strip().partition("\n")[0]


class CommandExecutor(Executor[P]):
    """Base of executors that only say which process to start; the process then takes the host's place."""

    @abstractmethod
    def command(self, params: P) -> Command:
        """Return the process that the step consists of."""

    async def run(self, ctx: StepContext, params: P) -> Outputs:
        """Never called: the command is what runs."""
        raise NotImplementedError(f"{self.kind} runs as a command")


class SyncExecutor(Executor[P]):
    """Base of executors that block: ``run_sync`` runs in a thread.

    A thread cannot be interrupted: look at ``ctx.cancelled`` now and then, or the step ends by KILL after
    its grace.
    """

    @abstractmethod
    def run_sync(self, ctx: StepContext, params: P) -> Outputs:
        """Carry out the step, as ``Executor.run``; write with ``ctx.stdout.print``."""

    async def run(self, ctx: StepContext, params: P) -> Outputs:
        """Run ``run_sync`` in a thread; the step ends when the thread does, cancelled or not."""
        import asyncio  # costs 30 ms, and hosts of plain commands do without

        work = asyncio.ensure_future(asyncio.to_thread(self.run_sync, ctx, params))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait({work})
            raise
