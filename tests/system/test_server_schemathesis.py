"""The OpenAPI document against the running server: generated requests, right and wrong, find no difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from support.programs import RunningServer

ENDS_ITSELF = "session.logout"
"""It would end the session that all other requests are made with."""


def test_the_server_does_what_its_document_says(start_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    token = server.call("token.create", name="fuzz")["token"]
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json").exclude(operation_id=ENDS_ITSELF)
    headers = {"Authorization": f"Bearer {token}"}
    count = 0

    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @schemathesis_given(operation)
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers)

        check()
        count += 1
    assert count > 30
    assert not_a_server_error is not None
