"""The whole test of a third party's executor: the checks are inherited."""

import pytest
from plumber_executor_greet import greet

from plumber_core.testing.conformance import ExecutorConformance


class TestGreet(ExecutorConformance):
    @pytest.fixture
    def executor(self):
        return greet

    @pytest.fixture
    def valid_params(self):
        return {"name": "Ada", "times": 2}
