"""Fingerprints: which alert is the same one as before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

# FNV-1a, 64 bits (https://datatracker.ietf.org/doc/html/draft-eastlake-fnv).
_OFFSET_BASIS = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF

_is_usual = re.compile(r"[0-9A-Za-z:_.-]{1,64}").fullmatch


def fingerprint_of(sent: str | None, labels: Mapping[str, str]) -> str:
    """The fingerprint as sent; of an odd form or length: 32 hex digits over it; missing: over the labels."""
    if not sent:
        return labels_fingerprint(labels)
    return sent if _is_usual(sent) else sha256(sent.encode()).hexdigest()[:32]


def labels_fingerprint(labels: Mapping[str, str]) -> str:
    """16 hex digits over the sorted labels, as Prometheus computes them.

    FNV-1a over name, 0xff, value, 0xff of each: `LabelSet.Fingerprint` in github.com/prometheus/common/model.
    """
    digest = _OFFSET_BASIS
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * _PRIME) & _MASK
    return f"{digest:016x}"
