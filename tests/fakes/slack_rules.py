"""What Slack takes, written down from its documents and not from our code; and a message as a reader sees it.

https://docs.slack.dev/reference/block-kit/blocks, .../composition-objects/text-object,
https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_DATE = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|(\d{4}-\d\d-\d\d \d\d:\d\d UTC)>")
_LINK = re.compile(r"<(https?://[^\s|<>]+)\|([^|<>]+)>")
_TOP_LEVEL = {"text", "mrkdwn", "unfurl_links", "unfurl_media", "blocks", "attachments"}
_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def problems(payload: dict[str, Any]) -> list[str]:
    """What Slack would refuse, cut, or take for a command, in sentences; empty when all is well."""
    return [*_envelope(payload), *_blocks(payload), *_texts(payload)]


def shown(payload: dict[str, Any]) -> str:
    """The message as plain text, roughly as a person sees it in a channel (times as their UTC fallback)."""
    lines = [_seen(text["text"]) if isinstance(text, dict) else text for text in _reading_order(payload)]
    return "\n".join(lines)


def _envelope(payload: dict[str, Any]) -> Iterator[str]:
    if set(payload) - _TOP_LEVEL:  # link_names and parse would let plain words ping
        yield f"unexpected keys {sorted(set(payload) - _TOP_LEVEL)}"
    if payload["unfurl_links"] is not False or payload["unfurl_media"] is not False:
        yield "previews of links are on"
    if not 1 <= len(payload["text"]) <= 4000:
        yield f"text has {len(payload['text'])} characters"
    if len(json.dumps(payload, ensure_ascii=False).encode()) > 30_000:
        yield "more than 30 kB"
    if len(payload["attachments"]) > 20:
        yield "more than 20 attachments"
    for attachment in payload["attachments"]:
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", attachment["color"]):
            yield f"colour {attachment['color']}"


def _blocks(payload: dict[str, Any]) -> Iterator[str]:
    blocks = list(_all_blocks(payload))
    if not 1 <= len(blocks) <= 50:
        yield f"{len(blocks)} blocks"
    for block in blocks:
        check = {"header": _header, "section": _section, "context": _context}.get(block["type"])
        yield from check(block) if check else [f"a block of type {block['type']}"]
    if sum(len(text["text"]) + 100 for text in _text_objects(payload)) > 13_000:
        yield "msg_blocks_too_long"


def _header(block: dict[str, Any]) -> Iterator[str]:
    if block["text"]["type"] != "plain_text":
        yield "a header must be plain_text"
    if not 1 <= _units(block["text"]["text"]) <= 150:
        yield f"a header of {_units(block['text']['text'])}"


def _section(block: dict[str, Any]) -> Iterator[str]:
    if "text" not in block and not block.get("fields"):
        yield "a section without text and fields"
    if "text" in block and not 1 <= _units(block["text"]["text"]) <= 3000:
        yield f"a section of {_units(block['text']['text'])}"
    if len(block.get("fields", [])) > 10:
        yield f"{len(block['fields'])} fields"
    for field in block.get("fields", []):
        if not 1 <= _units(field["text"]) <= 2000:
            yield f"a field of {_units(field['text'])}"


def _context(block: dict[str, Any]) -> Iterator[str]:
    if not 1 <= len(block["elements"]) <= 10:
        yield f"{len(block['elements'])} elements in a context"
    for element in block["elements"]:
        if not 1 <= _units(element["text"]) <= 3000:
            yield f"an element of {_units(element['text'])}"


def _texts(payload: dict[str, Any]) -> Iterator[str]:
    yield from _commands(payload["text"], allowed=())
    for text in _text_objects(payload):
        if not text["text"].strip():
            yield "an empty text"
        if text["type"] == "plain_text":
            if text.get("emoji") is not False:
                yield "`:fire:` in an alert would turn into an emoji"
            yield from _commands(text["text"], allowed=())
        else:
            if text.get("verbatim") is not True:
                yield "Slack would guess at addresses, channels and names in the text"
            yield from _commands(text["text"], allowed=(_DATE, _LINK))
            yield from _formatting(text["text"])


def _commands(text: str, allowed: tuple[re.Pattern[str], ...]) -> Iterator[str]:
    rest = text
    for pattern in allowed:
        rest = pattern.sub(lambda found: _ENTITY.sub("", found.group(1)), rest)
    rest = _ENTITY.sub("", rest)
    if re.search("[&<>]", rest):
        yield f"a control character of Slack's in {rest!r}"
    for character in text:
        invisible = unicodedata.category(character) in ("Cc", "Cs") and character != "\n"
        if invisible or unicodedata.bidirectional(character) in _BIDI:
            yield f"U+{ord(character):04X} in {text!r}"


def _formatting(text: str) -> Iterator[str]:
    """Only our own labels may be bold; everything else that formats has to stand inside a code span or a link."""
    rest = _LINK.sub("", _DATE.sub("", text))
    for line in rest.split("\n"):
        outside = re.sub(r"`[^`]+`", "", line)
        label = re.fullmatch(r"\*[A-Z][a-z ]+\*", outside)
        if not label and re.search(r"[*_~`]", outside):
            yield f"formatting in {line!r}"


def _all_blocks(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from payload["blocks"]
    for attachment in payload["attachments"]:
        yield from attachment["blocks"]


def _text_objects(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (text for text in _reading_order(payload) if isinstance(text, dict))


def _reading_order(payload: dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    for block in payload["blocks"]:
        yield from [block["text"]] if "text" in block else []
        yield from block.get("fields", [])
    for attachment in payload["attachments"]:
        yield f"[{attachment['color']}]"
        for block in attachment["blocks"]:
            yield from block["elements"]


def _seen(text: str) -> str:
    text = _LINK.sub(r"[\2](\1)", _DATE.sub(r"\1", text))
    text = re.sub(r"^\*([A-Z][a-z ]+)\*\n", r"\1: ", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _units(text: str) -> int:
    """Characters as JavaScript counts them, the strictest way Slack could."""
    return len(text.encode("utf-16-le")) // 2
