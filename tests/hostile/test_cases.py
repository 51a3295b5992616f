"""Each hostile request gets the answer that is right for it; nothing breaks, nothing is lost, nothing is told.

After each: the answer is the one that is right, a problem where it refuses, and shows no traceback; a 200 means that
the body is in the database byte for byte and anything else that nothing is (I1); all processes are still the same.
"""

from __future__ import annotations

import json
import unicodedata

import pytest

from tests.hostile import cases_bodies, cases_credentials
from tests.hostile.cases_transport import TRANSPORT
from tests.hostile.conftest import Target
from tests.hostile.wire import SECRETS, Case, content_of, exchange, problem_of, status_of

CASES = (*TRANSPORT, *cases_credentials.cases(), *cases_bodies.ALL)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_hostile_request_gets_its_answer_and_nothing_else(target: Target, case: Case):
    # Made anew: a signature holds the time, and between collecting the tests and running this one there may be minutes.
    case = next((one for one in cases_credentials.cases() if one.name == case.name), case)
    before, log_before = target.count(), len(target.process.output())
    answer = exchange(target.port, case.raw, hang_up=case.hang_up)
    status = status_of(answer)
    assert status in case.expect, answer[:500]
    assert b"Traceback" not in answer
    if status >= 400:
        assert problem_of(answer)["status"] == status
    if status == 200:
        receipt = json.loads(content_of(answer))
        assert target.stored(receipt["delivery_id"]) == case.body
        # What takes the database too long goes through the spool: as good, since it is stored above.
        assert not case.outcome or receipt["outcome"] in (case.outcome, "spooled"), receipt
    else:
        assert target.count() == before
    log = target.process.output()[log_before:]
    assert "Traceback" not in log and '"level":"error"' not in log.lower().replace(" ", "")
    assert all(
        "event" in json.loads(line) for line in log.splitlines()
    )  # one event a line, none of them forged
    assert not any(unicodedata.category(character) == "Cc" for character in log.replace("\n", ""))
    assert [secret for secret in SECRETS if secret in log] == []
    assert (
        status_of(exchange(target.port, b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
        == 200
    )
    assert target.members() == target.workers


def test_cases_have_names_of_their_own_and_are_more_than_a_hundred():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) > 100
    assert [case.name for case in CASES if len(case.expect) != 1 or case.expect[0] >= 500] == [
        "unknown transfer coding"
    ]
