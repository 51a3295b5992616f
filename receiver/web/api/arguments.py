"""Reads arguments: an unknown one is an error that names it, and a JSON body needs no Content-Type."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import msgspec
from flask import Request
from webargs.flaskparser import FlaskParser

from receiver.errors import InvalidField
from receiver.web.body import API_LIMIT_BYTES, read_body


class Parser(FlaskParser):
    """The parser of all API blueprints. Its errors become 422 problems (web/errors.py)."""

    def __init__(self) -> None:
        super().__init__()
        self.DEFAULT_UNKNOWN_BY_LOCATION = {**self.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The body, read whole and as JSON whatever its Content-Type (curl -d calls it a form); none counts as `{}`."""
        body = read_body(req.environ, API_LIMIT_BYTES)
        if not body.strip():
            return {}
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidField("body", "must be a JSON object") from None

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        """The query. Bytes of it that are no UTF-8 are a mistake of the client's, of which Werkzeug makes none."""
        try:
            return super().load_querystring(req, schema)
        except UnicodeDecodeError:
            raise InvalidField(
                "query", "must be UTF-8, with % and two hex digits for what is not ASCII"
            ) from None
