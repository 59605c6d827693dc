"""The whole test of a third party's executor: the checks are inherited."""

import plumber_executor_greet
import pytest
from plumber_executor_greet import greet

from plumber_core.testing.conformance import ExecutorConformance, PluginConformance


class TestGreet(ExecutorConformance):
    @pytest.fixture
    def executor(self):
        return greet

    @pytest.fixture
    def valid_params(self):
        return {"name": "Ada", "times": 2}


class TestPlugin(PluginConformance):
    @pytest.fixture
    def plugin(self):
        return plumber_executor_greet

    @pytest.fixture
    def settings(self):
        return {"greeting": "Moin"}
