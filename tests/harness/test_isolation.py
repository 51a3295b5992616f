"""What holds for every test, tried by breaking it."""

from __future__ import annotations

import os
import socket
import sys

import pytest
import requests

from tests.fakes import tools
from tests.fixtures.isolation import NetworkBlocked


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://[2001:db8::1]/", "https://hooks.slack.com/"])
def test_the_world_outside_is_out_of_reach(url):
    with pytest.raises(NetworkBlocked, match="tests reach this machine only"):
        requests.get(url, timeout=1)


def test_a_socket_that_reports_by_number_is_held_back_too():
    with socket.socket() as outward, pytest.raises(NetworkBlocked):
        outward.connect_ex(("192.0.2.1", 80))


def test_this_machine_is_within_reach(slack):
    assert requests.post(slack.url.replace("127.0.0.1", "localhost"), json={}, timeout=10).ok


def test_settings_of_the_shell_do_not_leak_in():
    assert [name for name in os.environ if name.startswith("RECEIVER_") and "_TEST_" not in name] == []


def test_a_missing_tool_fails_with_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(tools, "_MORE_PATH", ())
    with pytest.raises(tools.MissingTool, match="install mariadb-server-core, or set"):
        tools.require("mariadbd")


def test_a_tool_can_be_named_in_the_environment(monkeypatch):
    monkeypatch.setenv("RECEIVER_TEST_ALERTMANAGER", sys.executable)
    assert str(tools.require("alertmanager")) == sys.executable
