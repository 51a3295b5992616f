"""Foreign web pages stay out of a receiver that asks for no credential."""

import pytest

from receiver.errors import NotAllowed
from receiver.web.browsers import BrowserGuard
from tests.builders.web import environ, settings

HERE = "localhost:8080"


def guard(**given):
    return BrowserGuard(settings(**given))


@pytest.mark.parametrize(
    "host", [HERE, "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "ops.example.org", "ops.example.org:80"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_this_machine_and_the_public_name_are_answered(host, method):
    guard(PUBLIC_URL="https://ops.example.org/receiver").check_api(environ(method=method, Host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "", "[::1", "127.0.0.1.evil"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_made_to_resolve_to_this_machine_is_refused(host, method):
    with pytest.raises(NotAllowed, match="RECEIVER_PUBLIC_URL"):
        guard().check_api(environ(method=method, Host=host))


def test_beyond_loopback_any_name_may_be_ours():
    guard(BIND="0.0.0.0:80", AUTH="off").check_api(environ(Host="anything.example"))


@pytest.mark.parametrize(
    "shown",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[broken"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://localhost:8080", "Sec_Fetch_Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_may_look_at_nothing_new_and_change_nothing(shown):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(NotAllowed, match="another site"):
            guard().check_api(environ(method=method, Host=HERE, **shown))
        with pytest.raises(NotAllowed, match="another site"):
            guard().check_webhook(environ(method=method, Host=HERE, **shown))


@pytest.mark.parametrize(
    "shown",
    [{}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": "http://localhost:8080"}],
)
def test_a_page_of_our_own_and_a_command_may_act(shown):
    guard().check_api(environ(method="POST", Host=HERE, **shown))


def test_a_proxy_may_hand_over_another_host_as_long_as_the_origin_is_the_public_one():
    found = guard(PUBLIC_URL="https://ops.example.org")
    found.check_api(environ(method="POST", Host="127.0.0.1:8080", Origin="https://ops.example.org"))


def test_senders_may_use_any_name_for_this_machine():
    guard().check_webhook(environ(Host="host.docker.internal:8080"))


def test_a_browser_may_not_send_alerts_under_a_rebound_name():
    with pytest.raises(NotAllowed, match="RECEIVER_PUBLIC_URL"):
        guard().check_webhook(environ(Host="evil.example", Origin="http://evil.example"))
