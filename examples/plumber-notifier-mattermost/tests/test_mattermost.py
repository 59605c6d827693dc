"""The whole test of a third party's notifier: the checks are inherited."""

import pytest
from plumber_notifier_mattermost import Channel, Mattermost

from plumber_core.testing.conformance import NotifierConformance


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
