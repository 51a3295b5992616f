"""The incident key: which alerts are of one kind."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

KEY_LENGTH = 16


def key_text(rule_uid: str, cluster: str, namespace: str, service: str, phase: str) -> str:
    r"""The text under the hash: `rule_uid|cluster|namespace|service|phase`.

    `\` and `|` inside a value are escaped with `\`, so two different tuples never give the same text.
    """
    parts = (rule_uid, cluster, namespace, service, phase)
    joined = "|".join(parts)
    if "\\" not in joined and joined.count("|") == len(parts) - 1:
        return joined
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def incident_key(rule_uid: str, cluster: str, namespace: str, service: str, phase: str) -> str:
    """The first 16 hex digits of the SHA-256 over `key_text`, UTF-8; a missing value is the empty string.

    Raises UnicodeEncodeError for text with lone surrogates; sources refuse such alerts before they get here.
    """
    return sha256(key_text(rule_uid, cluster, namespace, service, phase).encode()).hexdigest()[:KEY_LENGTH]


@lru_cache(maxsize=1024)  # asked before the locks and after; sources keep fingerprints short
def episode_key(incident_key: str, source: str, fingerprint: str) -> str:
    """The key of a member's episode: the incident key, a dash, and 16 hex digits over source and fingerprint.

    It starts with the incident key so that the members of one incident lie side by side in the index.
    """
    return f"{incident_key}-{sha256(f'{source}|{fingerprint}'.encode()).hexdigest()[:KEY_LENGTH]}"
