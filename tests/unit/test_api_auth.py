"""Who may use the API."""

import pytest

from receiver.errors import NotAllowed, NotAuthenticated
from receiver.web.api_auth import ApiGate, Principal
from tests.builders.web import environ, settings

TOKENS = "vera:viewer:tok-v,rob:responder:tok-r,ada:admin:tok:with:colons"


def admit(role, shown="", **given):
    return ApiGate(settings(**given)).admit(environ(Authorization=shown), role)


@pytest.mark.parametrize("given", [{}, {"BIND": "0.0.0.0:80", "AUTH": "off"}])
def test_without_tokens_an_open_receiver_lets_anybody_do_everything_without_a_name(given):
    assert admit("admin", **given) == Principal("anonymous", "admin", named=False)


def test_an_exposed_receiver_without_tokens_is_closed_and_says_which_setting_is_missing():
    with pytest.raises(NotAuthenticated, match="RECEIVER_API_TOKENS"):
        admit("viewer", BIND="0.0.0.0:80", WEBHOOK_TOKEN="tok")


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        ("tok-v", {"viewer"}),
        ("tok-r", {"viewer", "responder"}),
        ("tok:with:colons", {"viewer", "responder", "admin"}),
    ],
)
def test_a_role_may_do_its_own_things_and_those_of_lower_roles(token, allowed):
    for role in ("viewer", "responder", "admin"):
        if role in allowed:
            assert admit(role, f"Bearer {token}", API_TOKENS=TOKENS).named
        else:
            with pytest.raises(NotAllowed, match=role):
                admit(role, f"Bearer {token}", API_TOKENS=TOKENS)


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer tok", "Basic tok-v", "tok-v", "Bearer tok-v2", "Bearer vera"]
)
def test_on_loopback_too_tokens_are_asked_for_once_there_are_any(shown):
    with pytest.raises(NotAuthenticated) as refused:
        admit("viewer", shown, API_TOKENS=TOKENS)
    assert "tok" not in refused.value.detail.replace("token", "").replace("TOKENS", "")
