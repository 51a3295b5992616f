"""http.call: one request to an address of the user's, public or in a permitted network, never anywhere else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.httpclient import AddressGuard, HttpClient, Network, Response, failure_of
from receiver.remediation.base import LONGEST_TARGET, shown, system_key

SETTING = "RECEIVER_REMEDIATION_HTTP_ALLOW"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LONGEST_URL = 2000
# These come before anything is done: too many requests, a conflict, not now. Other 5xx may come after.
_BEFORE_EFFECT = (408, 409, 429, 503)


class HttpCall:
    """Sends one request, with `body` as JSON, and the action's id as Idempotency-Key. 2xx is success."""

    signature = Signature(
        name="http.call",
        help="Sends one HTTP request to `url`. Only 2xx counts as success; redirects are not followed.",
        required=("url",),
        parameters=(
            Parameter("method", Type.TEXT, "POST by default", choices=METHODS),
            Parameter("body", Type.TABLE, "texts by name, sent as JSON"),
        ),
    )

    def __init__(self, http: HttpClient, allow: tuple[Network, ...]) -> None:
        self._http = http.guarded(AddressGuard(allow, SETTING))

    def mistakes(self, order: Order) -> list[str]:
        """See Action.mistakes."""
        problems = self.signature.problems(order)
        if not problems and (flaw := _url_flaw(order.target["url"])):
            problems.append(f"target.url: {flaw}")
        return problems

    def check(self, order: Order) -> list[str]:
        """See Action.check. Whether the host's address may be reached is found out when it is called."""
        return self.mistakes(order)

    def target_text(self, order: Order) -> str:
        """Without the query, which may hold secrets."""
        return f"http:{_method(order)} {_place(order)}"[:LONGEST_TARGET]

    def system(self, order: Order) -> str:
        """One for each host."""
        return system_key(f"http:{urlsplit(order.target['url']).hostname or ''}")

    def plan(self, order: Order) -> Plan:
        """What would be sent. Nothing is asked: nobody knows what an address would answer."""
        return Plan(f"send {_method(order)} {_place(order)}", to_state={"sent": True})

    def run(self, order: Order, plan: Plan) -> Result:
        """See Action.run."""
        response = self._http.request(
            _method(order),
            order.target["url"],
            payload=dict(order.parameters["body"]) if "body" in order.parameters else None,
            headers={"Idempotency-Key": order.action_id} if order.action_id else None,
        )
        failure = judge(response)
        if failure is not None:
            raise failure
        return Result(f"HTTP {response.status} {response.excerpt()}".strip(), {"status": response.status})


def judge(response: Response) -> DeliveryFailed | None:
    """None for 2xx, else the failure: who answers 5xx may have done what was asked, unless it is 503."""
    failure = failure_of(response)
    if failure is None:
        return None
    before_effect = response.status in _BEFORE_EFFECT
    return DeliveryFailed(
        failure.reason,
        permanent=failure.permanent and not before_effect,
        retry_after_seconds=response.retry_after_seconds if before_effect else None,
        outcome_unknown=response.status >= 500 and not before_effect,
        http_status=response.status,
    )


def _method(order: Order) -> str:
    return str(order.parameters.get("method", "POST"))


def _place(order: Order) -> str:
    parts = urlsplit(order.target["url"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _url_flaw(url: str) -> str | None:
    """What is wrong with an address. Pure."""
    if len(url) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} characters"
    if not re.fullmatch(r"[!-~]+", url):
        return f"{shown(url)} has characters that no address has; encode them with %"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return f"{shown(url)} is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{shown(url)} is no http:// or https:// address"
    if "@" in parts.netloc:
        return "has a user or a password, which would stand in the incident's history"
    return None
