"""What every channel that posts to an HTTP service promises besides the contract: statuses, Retry-After, redirects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from receiver.config import load
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.notifiers.registry import build_notifiers
from tests.builders.notifications import FIRING
from tests.fakes.counterparts import HTTP, BotCounterpart, HttpCounterpart
from tests.fakes.leaks import assert_tells_nothing_of, told
from tests.fakes.slack import Answer


@pytest.fixture(params=sorted(HTTP))
def service(request: pytest.FixtureRequest) -> Iterator[HttpCounterpart]:
    """The other side: records and answers as it is told, at any path."""
    with HTTP[request.param]() as counterpart:
        yield counterpart


def failure(service: HttpCounterpart) -> DeliveryFailed:
    settings = {f"RECEIVER_{name}": text for name, text in service.settings(service.port).items()}
    (notifier,) = build_notifiers(load(settings), HttpClient()).values()
    with pytest.raises(DeliveryFailed) as caught:
        notifier.send(FIRING)
    # A bot's address is everybody's: its methods may be named, its token may not.
    path = "" if isinstance(service, BotCounterpart) else service.server.messages()[0].path
    assert_tells_nothing_of(caught.value, service.server.base_url + path)
    assert not [secret for secret in service.secrets if secret in told(caught.value)]
    return caught.value


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_a_refusal_is_permanent_and_not_repeated(service, status):
    service.server.answer(Answer(status, "no_such_thing"))
    error = failure(service)
    assert (error.permanent, error.outcome_unknown, error.http_status) == (True, False, status)
    assert "no_such_thing" in error.reason
    assert service.attempts() == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_transient_and_left_to_the_queue(service, status):
    service.server.answer(Answer(status, "later"))
    error = failure(service)
    assert (error.permanent, error.http_status) == (False, status)
    assert service.attempts() == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("86400", 3600), ("soon", None)])
def test_a_wish_to_wait_is_handed_on(service, header, seconds):
    service.server.answer(Answer(429, "rate_limited", {"Retry-After": header}))
    error = failure(service)
    assert (error.permanent, error.retry_after_seconds) == (False, seconds)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused(service, status):
    service.server.answer(Answer(status, "", {"Location": service.server.base_url + "/elsewhere"}))
    assert failure(service).permanent
    assert service.attempts() == 1


def test_a_refusal_that_repeats_the_address_does_not_bring_it_into_the_error(service):
    service.server.answer(Answer(403, "denied"))
    failure(service)
    path = service.server.messages()[0].path
    for text in (service.server.base_url + path, f"<p>POST {path}</p>", path.rpartition("/")[2]):
        service.server.answer(Answer(403, f"denied: {text}"))
        assert "denied" in failure(service).reason
