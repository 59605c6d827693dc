"""What every executor must do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from plumber_core.errors import InvalidRequest
from plumber_core.plugins.catalogue import EXECUTORS
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.params import describe_executor, load_params, params_schema
from plumber_core.testing.conformance.opened import TIMEOUT, assert_contract, override
from plumber_core.testing.steps import StepRun, run_step, start_step

SUMMARY_LIMIT = 500


class ExecutorConformance:
    """Override ``executor`` and ``valid_params``; also ``slow_params`` if a step can take long.

    Flags: ``expected_exit_code`` of a run with ``valid_params``; ``repeatable`` (a second run ends as the first);
    ``cancellable`` (a cancelled step ends within ``grace`` seconds).
    """

    expected_exit_code: ClassVar[int] = 0
    repeatable: ClassVar[bool] = True
    cancellable: ClassVar[bool] = True
    grace: ClassVar[float] = 10.0

    @pytest.fixture
    def executor(self) -> Executor[Any]:
        """The executor to test."""
        raise override("executor")

    @pytest.fixture
    def valid_params(self) -> dict[str, Any]:
        """JSON values with which a run ends soon."""
        raise override("valid_params")

    @pytest.fixture
    def slow_params(self) -> dict[str, Any] | None:
        """JSON values with which a run lasts until it is cancelled."""
        return None

    @pytest.fixture
    def environment(self) -> dict[str, str]:
        """Environment variables that a run needs."""
        return {}

    def test_contract(self, executor: Executor[Any]) -> None:
        assert_contract(executor, EXECUTORS)

    def test_description_is_json_with_a_closed_schema(self, executor: Executor[Any]) -> None:
        described = json.loads(json.dumps(describe_executor(executor)))
        assert described["summary"].strip()
        assert described["schema"]["type"] == "object"
        if not executor.Params.model_config.get("extra"):
            assert described["schema"]["additionalProperties"] is False

    def test_schema_names_every_parameter(self, executor: Executor[Any], valid_params: dict[str, Any]) -> None:
        schema = params_schema(executor)
        assert set(valid_params) <= set(schema["properties"])
        assert set(schema.get("required", ())) <= set(valid_params)

    def test_valid_params_survive_a_round_trip(self, executor: Executor[Any], valid_params: dict[str, Any]) -> None:
        loaded = load_params(executor, valid_params)
        assert load_params(executor, loaded.model_dump(by_alias=True, exclude_unset=True)) == loaded

    def test_unknown_parameter_is_refused(self, executor: Executor[Any], valid_params: dict[str, Any]) -> None:
        if executor.Params.model_config.get("extra") in ("allow", "ignore"):
            pytest.skip("the model takes unknown keys")
        with pytest.raises(InvalidRequest, match="no_such_parameter"):
            load_params(executor, {**valid_params, "no_such_parameter": 1})

    def test_summary_is_one_line_without_secrets(self, executor: Executor[Any], valid_params: dict[str, Any]) -> None:
        params = load_params(executor, valid_params)
        summary = executor.summary(params)
        assert summary.strip()
        assert "\n" not in summary
        assert len(summary) <= SUMMARY_LIMIT
        assert [secret for secret in _secrets(params) if secret in summary] == []

    def test_runs(self, executor: Executor[Any], valid_params: dict[str, Any], environment: dict[str, str]) -> None:
        run = asyncio.run(run_step(executor, valid_params, env=environment, timeout=TIMEOUT))
        assert run.exit_code == self.expected_exit_code, _told(run)

    def test_runs_twice(
        self, executor: Executor[Any], valid_params: dict[str, Any], environment: dict[str, str]
    ) -> None:
        if not self.repeatable:
            pytest.skip("declared as not repeatable")
        for _ in range(2):
            run = asyncio.run(run_step(executor, valid_params, env=environment, timeout=TIMEOUT))
            assert run.exit_code == self.expected_exit_code, _told(run)

    def test_ends_when_cancelled(
        self, executor: Executor[Any], slow_params: dict[str, Any] | None, environment: dict[str, str]
    ) -> None:
        if not self.cancellable:
            pytest.skip("declared as not cancellable")
        if slow_params is None:
            pytest.skip("no slow_params to cancel a run of")
        run = asyncio.run(self._cancelled(executor, slow_params, environment))
        assert run.exit_code != 0, _told(run)

    async def _cancelled(self, executor: Executor[Any], params: dict[str, Any], env: dict[str, str]) -> StepRun:
        async with start_step(executor, params, env=env) as step:
            with pytest.raises(TimeoutError):
                await step.wait(0.5)
            step.cancel()
            return await step.wait(self.grace)


def _told(run: StepRun) -> str:
    return f"exit code {run.exit_code}\n{run.stdout.decode(errors='replace')}\n{run.stderr.decode(errors='replace')}"


def _secrets(value: Any) -> Iterator[str]:
    """Yield the values of all secret fields, however deep."""
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case SecretBytes():
            yield value.get_secret_value().decode(errors="replace")
        case BaseModel():
            yield from _secrets(list(dict(value).values()))
        case dict():
            yield from _secrets(list(value.values()))
        case list() | tuple() | set() | frozenset():
            for item in value:
                yield from _secrets(item)
