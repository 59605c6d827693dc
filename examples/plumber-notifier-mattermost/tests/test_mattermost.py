"""The whole test of a third party's notifier: the checks are inherited."""

import plumber_notifier_mattermost
import pytest
from plumber_notifier_mattermost import Channel, Mattermost

from plumber_core.testing.conformance import NotifierConformance, PluginConformance


def channel(mattermost, token):
    return Mattermost("ops", Channel(server=mattermost[0], token=token, channel_id="c1"))


class TestMattermost(NotifierConformance):
    @pytest.fixture
    def notifier(self, mattermost):
        return channel(mattermost, "bot-token")

    @pytest.fixture
    def received(self, mattermost):
        return lambda: [post["props"]["plumber"] for post in mattermost[1]]

    @pytest.fixture
    def dead_notifier(self, mattermost):
        return channel(mattermost, "wrong")


class TestPlugin(PluginConformance):
    @pytest.fixture
    def plugin(self):
        return plumber_notifier_mattermost

    @pytest.fixture
    def settings(self):
        return {"channels": {"ops": {"server": "https://chat.example", "token": "t", "channel_id": "c1"}}}
