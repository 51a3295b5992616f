"""Kinds of fields that the API has beyond marshmallow's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import marshmallow as ma

from receiver.clock import isoformat

# https://www.rfc-editor.org/rfc/rfc3339#section-5.6; a space may stand for T, and for +, which a URL decodes to one.
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+\- ]\d\d:\d\d)", re.ASCII
)  # fmt: skip


class Moment(ma.fields.DateTime):
    """A time as RFC 3339, always with its time zone; UTC inside."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return isoformat(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ma.ValidationError("must be a time with its zone, for example 2026-11-21T08:30:00Z")
        day, clock, fraction, zone = found.groups()
        # Digits beyond microseconds are cut.
        text = f"{day}T{clock}{(fraction or '')[:7]}{zone.upper().replace(' ', '+')}"
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ma.ValidationError("there is no such time") from None


class CommaList(ma.fields.List[Any]):
    """Several values, separated by commas or given as the parameter repeated."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Any]:
        parts = [part.strip() for text in value for part in str(text).split(",")]
        return super()._deserialize([part for part in parts if part], attr, data, **kwargs)
