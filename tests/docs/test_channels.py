"""What docs/channels.md says of channels and templates is so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from receiver.domain.notification import Template
from receiver.domain.rules.document import read_document
from receiver.domain.rules.read_channels import read_channels
from receiver.notifiers.registry import WANTED
from receiver.notifiers.slack_blocks import payload
from receiver.notifiers.template_files import PARTS
from receiver.notifiers.texts import Texts
from receiver.notifiers.view import NAMES
from receiver.notifiers.webhook import Webhook, document
from receiver.storage.migrate import bundled
from tests.builders.notifications import BY_TEMPLATE, FIRING
from tests.fakes.slack_rules import shown

TEXT = (bundled("sql").parent / "docs" / "channels.md").read_text()


def test_every_channel_occasion_template_and_name_is_explained() -> None:
    files = {file for part in PARTS for file in part.files}
    assert [one for one in (*WANTED, *Template, *files, *NAMES) if f"`{one}`" not in TEXT] == []


def test_every_type_of_a_webhook_is_named() -> None:
    types = {document(BY_TEMPLATE[one])["type"] for one in (*Webhook.templates, Template.TEST)}
    assert [one for one in types if f"`{one}`" not in TEXT] == []


@pytest.fixture
def example(tmp_path: Path) -> Texts:
    """The files of the example."""
    for block in re.findall(r"```jinja\n(.*?)```", TEXT, flags=re.DOTALL):
        name = re.match(r"\{# (\S+) #\}", block)
        assert name is not None
        tmp_path.joinpath(name[1]).write_text(block)
    return Texts(tmp_path)


def test_the_example_has_no_mistakes_and_does_what_is_said(example: Texts) -> None:
    assert example.mistakes == []
    assert example.wordings == {"database"}
    usual = shown(payload(FIRING, example.of(FIRING)))
    assert "It is.\n*War room:* [join](https://meet.example.org/war-room) for `checkout`\n" in usual
    calm = replace(FIRING, priority="P2")
    assert "War room" not in shown(payload(calm, example.of(calm)))
    database = replace(FIRING, service="db-orders", wording="database")
    assert "db-orders is a database: do not restart it. It is." in shown(
        payload(database, example.of(database))
    )


def test_the_channels_of_the_example_can_be_read() -> None:
    for block in re.findall(r"```yaml\n(channels:.*?)```", TEXT, flags=re.DOTALL):
        node, _ = read_document(yaml.safe_dump(yaml.safe_load(block)["channels"]))
        assert node is not None
        problems: list[object] = []
        assert set(read_channels(node, problems)) == {"db-team", "managers"}  # type: ignore[arg-type]  # any list does
        assert problems == []
