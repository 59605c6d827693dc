"""The OpenAPI document against the running server: generated requests, right and wrong, find no difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from support.programs import RunningServer

ENDS_ITSELF = "session.logout"
"""It would end the session that all other requests are made with."""
# A value of the right shape may still be refused for its meaning: a short password, a task that is no task.
FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.long
def test_the_server_does_what_its_document_says(start_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    token = server.call("token.create", name="fuzz")["token"]
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json").exclude(operation_id=ENDS_ITSELF)
    headers = {"Authorization": f"Bearer {token}"}
    checked = 0
    for found in schema.get_all_operations():
        for mode in schemathesis.GenerationMode:
            strategy = found.ok().as_strategy(generation_mode=mode)

            @FEW
            @given(case=strategy)
            def check(case: schemathesis.Case) -> None:
                case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

            check()
        checked += 1
    assert checked > 30
