"""The exception tree. An error carries what its caller must decide: which answer to give, or whether to try again."""

from __future__ import annotations

from collections.abc import Sequence


class ReceiverError(Exception):
    """Base of everything this project raises on purpose."""


class SettingsError(ReceiverError):
    """One or more settings are wrong; `problems` has one line per setting, by name, never its secret value."""

    heading = "The settings are not right:"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join((self.heading, *(f"  {line}" for line in self.problems))))


class WrongRules(SettingsError):
    """A rules file that cannot be used; `problems` has one `FILE:LINE:COLUMN: what is wrong` for each mistake."""

    heading = "The rules are not right:"


class RenderFailed(ReceiverError):
    """A text of a rule cannot be filled in: the alert lacks a label it needs, or a value does not suit."""


class UnintelligibleBody(ReceiverError):
    """A webhook body that no source understands. It is kept and quarantined with `reason`, never refused."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RequestRefused(ReceiverError):
    """A request that gets a 4xx or 5xx answer before it reaches a service."""

    status = 400
    slug = "bad-request"
    title = "Bad request"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BodyTooLarge(RequestRefused):
    """The body is over the limit, announced or found while reading."""

    status, slug, title = 413, "body-too-large", "Body too large"


class UnsupportedEncoding(RequestRefused):
    """The body is compressed (Content-Encoding); senders of alerts do not compress."""

    status, slug, title = 415, "unsupported-encoding", "Unsupported encoding"


class BrokenBody(RequestRefused):
    """The transport framing of the body is broken (bad chunk, early end)."""

    status, slug, title = 400, "broken-body", "Broken body"


class SlowBody(RequestRefused):
    """The request did not come to its end in time."""

    status, slug, title = 408, "request-timeout", "Request timeout"


class TooManyBodies(RequestRefused):
    """The bodies that are being taken in now fill the memory that is meant for them; the sender should come again."""

    status, slug, title = 503, "overloaded", "Overloaded"


class NotAuthenticated(RequestRefused):
    """No accepted credential came with the request."""

    status, slug, title = 401, "unauthorized", "Credentials missing or wrong"


class NotAllowed(RequestRefused):
    """The credential is good but its role may not do this."""

    status, slug, title = 403, "forbidden", "Not allowed"


class UnknownIncident(RequestRefused):
    """No incident has this id or number."""

    status, slug, title = 404, "unknown-incident", "Unknown incident"


class UnknownReport(RequestRefused):
    """No report has this name."""

    status, slug, title = 404, "unknown-report", "Unknown report"


class UnknownAction(RequestRefused):
    """No remediation action has this id."""

    status, slug, title = 404, "unknown-action", "Unknown action"


class ActionConflict(RequestRefused):
    """The remediation action does not wait for anybody's approval, or not any more."""

    status, slug, title = 409, "action-conflict", "Action conflict"


class IllegalTransition(RequestRefused):
    """The incident's status does not allow this step; `allowed` lists the ones that it does allow."""

    status, slug, title = 409, "illegal-transition", "Illegal transition"

    def __init__(self, detail: str, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(detail)


class InvalidField(RequestRefused):
    """A field of the request (a filter, a cursor) has a value that cannot be used; `field` names it."""

    status, slug, title = 422, "invalid-field", "Invalid field"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


class StorageUnavailable(RequestRefused):
    """The database did not take the transaction in time; the sender should come again."""

    status, slug, title = 503, "storage-unavailable", "Storage unavailable"


class SpoolFailed(ReceiverError):
    """The local spool cannot be used: full, unwritable, broken. The text names the folder and nothing that is in it."""


class SpoolBlocked(SpoolFailed):
    """The spool, or its disk, has no room, or another process is writing: that passes by itself."""


class ArchiveFailed(ReceiverError):
    """An archive cannot be written, or is not whole. The text names the file and nothing that is in it."""


class DeliveryFailed(ReceiverError):
    """A call to the outside world failed.

    `permanent`: trying again cannot help. `retry_after_seconds`: the earliest time the other side wants to be asked
    again. `outcome_unknown`: the request may have been carried out although no answer came.
    The message names the reason and never the address, which may hold a secret.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        retry_after_seconds: float | None = None,
        outcome_unknown: bool = False,
        http_status: int | None = None,
    ) -> None:
        self.reason = reason
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds
        self.outcome_unknown = outcome_unknown
        self.http_status = http_status
        super().__init__(reason)


class LeaseLost(ReceiverError):
    """Another worker owns this job now: what this one did must not be recorded."""


class LocksBusy(ReceiverError):
    """Somebody else holds `busy`, which were to be locked without waiting: roll back, and go on without them."""

    def __init__(self, busy: frozenset[str]) -> None:
        self.busy = busy
        super().__init__(f"{len(busy)} rows are locked by others")


class SchemaOutOfDate(ReceiverError):
    """The database's schema is not the one this release needs."""
