"""The real Alertmanager starts with a test's configuration and posts to a test's server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes.alertmanager import Alertmanager
from tests.fakes.slack import SlackServer

CONFIG = """
route: {{receiver: stand-in, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: stand-in
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""


def test_an_alert_reaches_the_configured_webhook(
    start_alertmanager: Callable[[str], Alertmanager], slack: SlackServer
):
    alertmanager = start_alertmanager(CONFIG.format(url=slack.url))
    alertmanager.post_alerts([{"labels": {"alertname": "DiskFull", "host": "db-1"}}])
    [message] = slack.wait_for(1)
    assert message.json["version"] == "4"
    assert message.json["alerts"][0]["labels"] == {"alertname": "DiskFull", "host": "db-1"}


def test_a_wrong_configuration_fails_with_what_alertmanager_says(start_alertmanager):
    with pytest.raises(AssertionError, match=r"no routes? provided"):
        start_alertmanager("receivers: []")
