"""What an error would tell whoever logs it: its text, everything behind it, and its traceback as printed."""

from __future__ import annotations

import traceback
from urllib.parse import urlsplit


def told(error: BaseException) -> str:
    """All texts of `error` and of its causes and contexts, the suppressed ones included."""
    texts = traceback.format_exception(error)
    link: BaseException | None = error
    while link is not None:
        texts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(texts)


def assert_tells_nothing_of(error: BaseException, url: str) -> None:
    """Neither the address as a whole nor its host, its path or a part of the path that could be a secret."""
    parts = urlsplit(url)
    secrets = [
        url,
        parts.netloc,
        parts.hostname,
        parts.password,
        parts.path,
        *parts.path.split("/"),
        parts.query,
    ]
    text = told(error)
    for secret in secrets:
        assert len(secret or "") <= 5 or str(secret) not in text, "the error tells where it went"
