"""What is measured beside the receiver is told with its release, and comes from pins."""

from __future__ import annotations

import re

from bench.alerta import pins
from bench.bodies import Requests, Shape


def test_everything_that_alerta_needs_is_pinned():
    found = pins()
    assert {"alerta-server", "gunicorn", "Flask", "psycopg2-binary"} <= found.keys()
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", release) for release in found.values())


def test_its_requests_are_the_receivers_with_another_path_and_no_token():
    ours = Requests(Shape(), token="t", now=None).make(1)
    theirs = Requests(Shape(), token=None, path="/webhooks/prometheus").make(1)
    assert theirs.startswith(b"POST /webhooks/prometheus HTTP/1.1\r\n")
    assert b"Authorization" in ours and b"Authorization" not in theirs


def test_alerts_that_are_new_to_the_receiver_are_new_to_it_as_well():
    bodies = [Requests(Shape(alerts=20, services=5), token=None).make(serial) for serial in (1, 2)]
    resources = [re.findall(rb'"instance":"([^"]+)"', body) for body in bodies]
    assert len({resource for body in resources for resource in body}) == 40
