"""Fits texts into their columns: what is shown may be cut, keys and raw texts never are."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ELLIPSIS = "…"
_LARGEST_DOCUMENT_BYTES = 512 * 1024
_CUT_VALUE_CHARACTERS = 1000
# At most four bytes each: MySQL takes no JSON whose names are longer than 65,535 bytes (3151).
_LONGEST_NAME_CHARACTERS = 16_000


def fit(text: str, length: int) -> str:
    """`text`, cut to `length` characters with an ellipsis at the end."""
    return text if len(text) <= length else text[: length - 1] + ELLIPSIS


def fit_document(document: Mapping[str, str]) -> Mapping[str, str]:
    """Labels or annotations as a JSON column can take them; huge ones are cut (the delivery keeps the exact bytes).

    The whole statement must stay well under the server's max_allowed_packet, which is 16 MiB on MariaDB by default.
    """
    # Cheap first: most alerts are far below the limits, and counting characters needs no encoding.
    names = sum(map(len, document))
    is_small = names + sum(map(len, document.values())) < _LARGEST_DOCUMENT_BYTES // 4
    if is_small and (
        names <= _LONGEST_NAME_CHARACTERS or max(map(len, document)) <= _LONGEST_NAME_CHARACTERS
    ):
        return document
    kept: dict[str, str] = {}
    size = 0
    for name, value in document.items():
        entry = {fit(name, _CUT_VALUE_CHARACTERS): fit(value, _CUT_VALUE_CHARACTERS)}
        size += len(msgspec.json.encode(entry))
        if size > _LARGEST_DOCUMENT_BYTES:
            kept[ELLIPSIS] = f"{len(document) - len(kept)} more"
            break
        kept.update(entry)
    return kept
