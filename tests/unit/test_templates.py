"""Texts come from templates: the user's take the place of the shipped ones, and a broken one never loses a message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.domain.notification import Notification, Template
from receiver.notifiers.email_message import compose
from receiver.notifiers.pagerduty import event
from receiver.notifiers.slack_blocks import payload
from receiver.notifiers.template_check import mistakes_of
from receiver.notifiers.template_engine import Engine
from receiver.notifiers.template_files import EMAIL_HTML, PARTS, SLACK_TEXT, SLACK_TITLE, shipped
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts, wordings
from receiver.notifiers.view import NAMES, view_of
from tests.builders.notifications import BY_TEMPLATE, FIRING, HOSTILE, HUGE, NOW
from tests.fakes.slack_rules import problems, shown

Folder = Callable[..., Texts]


@pytest.fixture
def texts(tmp_path: Path) -> Folder:
    """The texts of a folder with these files; `_` in a name stands for the dot and `__` for the hyphen."""

    def make(**files: str) -> Texts:
        for name, text in files.items():
            tmp_path.joinpath(name.replace("__", "-").replace("_", ".")).write_text(text)
        return Texts(tmp_path)

    return make


def slack_text(texts: Texts, n: Notification = FIRING) -> str:
    return texts.of(n).render(SLACK_TEXT).text


def test_the_shipped_templates_have_no_mistakes_and_there_is_one_for_each_part():
    assert mistakes_of(Engine({}), shipped()) == []
    assert set(shipped()) == {part.files[-1] for part in PARTS}


def test_every_name_has_a_value_on_every_occasion():
    for message in BY_TEMPLATE.values():
        assert set(view_of(message)) == NAMES


def test_a_template_of_the_users_takes_the_place_of_the_shipped_one_in_its_channel_only(texts):
    mine = texts(
        slack__title_txt="S {{ number }} {{ title }}",
        email__subject_txt="E {{ number }}",
        email__body_txt="body of {{ service }}",
        pagerduty__summary_txt="P {{ priority }}",
    )
    assert mine.mistakes == []
    assert shown(payload(FIRING, mine.of(FIRING))).startswith("S INC-4711 Größe of 日本 is over 9000 🔥\n")
    mail = compose(FIRING, "a@example.org", ["b@example.org"], NOW, mine.of(FIRING))
    assert mail["Subject"] == "E INC-4711"
    assert "body of checkout" in str(mail.get_body(("plain",)))
    assert "INC-4711 has opened" in str(mail.get_body(("html",)))
    assert event(FIRING, mine.of(FIRING))["payload"]["summary"] == "P P0"


def test_a_template_may_build_on_the_shipped_one(texts):
    mine = texts(slack__text_txt='{% include "shipped/slack-text.txt" %}\nCall {{ priority }}')
    assert slack_text(mine).strip() == "It is.\nCall P0"


def test_what_begins_with_an_underscore_is_there_to_be_included(texts, tmp_path):
    tmp_path.joinpath("_team.txt").write_text("team of {{ service }}")
    mine = texts(slack__text_txt='{% include "_team.txt" %}')
    assert (mine.mistakes, slack_text(mine)) == ([], "team of checkout")


def test_in_slacks_notation_the_template_formats_and_the_alert_cannot(texts):
    mine = texts(slack__text_mrkdwn='*{{ title }}* {{ service | code }} {{ url | link("go & see") }} <!here>')
    evil = replace(FIRING, title="<!channel> <http://x|y> `x` & co", service="a`b")
    (section,) = [
        block
        for block in payload(evil, mine.of(evil))["blocks"]
        if "go &amp; see" in str(block) and "text" in block
    ]
    assert section["text"] == {
        "type": "mrkdwn",
        "verbatim": True,
        "text": "*&lt;!channel&gt; &lt;http://x|y&gt; 'x' &amp; co* `a'b`"
        " <https://receiver.example/incidents/4711|go &amp; see> <!here>",
    }


def test_in_html_the_alert_is_escaped_and_in_plain_text_it_is_not(texts):
    mine = texts(email__body_html="<p>{{ title }}</p>", email__body_txt="{{ title }}")
    evil = replace(FIRING, title="<b>&")
    mail = compose(evil, "a@example.org", ["b@example.org"], NOW, mine.of(evil))
    assert "<p>&lt;b&gt;&amp;</p>" in str(mail.get_body(("html",)))
    assert "<b>&" in str(mail.get_body(("plain",)))


BROKEN = {
    "syntax": ("{% if %}", "slack-text.txt:1: "),
    "a name that is not there": (
        "\n\n{{ titel }}",
        'slack-text.txt:3: unknown name "titel"; did you mean "title"?',
    ),
    "a value that does not suit": ("x\n{{ title + 1 }}", "slack-text.txt:2: "),
    "an attribute that is not there": ("{{ title.nope }}", "slack-text.txt:1: "),
    "a way out of the sandbox": ("{{ ().__class__.__base__.__subclasses__() }}", "slack-text.txt:1: "),
    "an unknown filter": ("{{ title | frobnicate }}", "slack-text.txt:1: No filter named 'frobnicate'"),
    "an include of nothing": ('{% include "nope.txt" %}', "there is no template nope.txt to include"),
    "an include of itself": ('{% include "slack-text.txt" %}', "maximum recursion depth exceeded"),
    "no end": ("{% for a in facts %}{{ 'x' * 90000 }}{% endfor %}", "more than 100000 characters"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_is_found_at_start_and_loses_no_message(texts, caplog, case):
    source, expected = BROKEN[case]
    mine = texts(slack__text_txt=source)
    assert expected in mine.mistakes[0]
    assert "/" in mine.mistakes[0].partition(":")[0], "it names the whole path"
    with caplog.at_level(logging.WARNING):
        wording = mine.of(FIRING)
        assert shown(payload(FIRING, wording)) == shown(payload(FIRING))
    assert "the usual text was sent, because of a template" in wording.receipt("ok")
    assert [record.getMessage() for record in caplog.records] == ["template.failed"]


def test_all_mistakes_are_told_at_once_with_file_and_line(texts):
    mine = texts(
        slack__text_txt="{{ a }}\n{{ b }}", email__subject_txt="{{ number", slak__text_txt="x", x_pdf=""
    )
    assert [mistake.rpartition("/")[2].partition(" ")[0] for mistake in mine.mistakes] == [
        "slak-text.txt:",
        "x.pdf:",
        "email-subject.txt:1:",
        "slack-text.txt:1:",
        "slack-text.txt:2:",
    ]


def test_a_mistake_on_one_occasion_only_is_found_and_spoils_no_other(texts):
    mine = texts(slack__text_txt='{% if occasion == "resolved" %}{{ resolved_at.year }}{% endif %}fine')
    assert len(mine.mistakes) == 1
    assert slack_text(mine) == "fine"
    over = BY_TEMPLATE[Template.RESOLVED]
    assert "fine" not in slack_text(mine, over)


def test_a_title_or_subject_cannot_be_empty(texts):
    mine = texts(slack__title_txt="{% if occasion != 'test' %}x{% endif %}")
    assert mine.mistakes[0].endswith("it gives no text for test")
    assert "Test message" in mine.of(BY_TEMPLATE[Template.TEST]).render(SLACK_TITLE).text


def test_a_folder_that_cannot_be_read_is_a_mistake(tmp_path):
    assert Texts(tmp_path / "nowhere").mistakes == [
        f"{tmp_path / 'nowhere'}: the folder cannot be read (No such file or directory)"
    ]
    tmp_path.joinpath("slack-text.txt").write_bytes(b"\xff")
    assert Texts(tmp_path).mistakes == [
        f"{tmp_path / 'slack-text.txt'}: the file cannot be read (it is no UTF-8 text)"
    ]


def test_a_wording_is_the_body_everywhere_and_the_rest_stays(texts):
    mine = texts(night_txt="Wait <until> morning: {{ title }}", night_slack__title_txt="🌙 {{ number }}")
    n = replace(FIRING, wording="night")
    assert mine.mistakes == []
    assert mine.wordings == {"night"}
    text = shown(payload(n, mine.of(n)))
    assert text.startswith("🌙 INC-4711\n")
    assert "Wait <until> morning: Größe" in text
    assert "Wait &lt;until&gt; morning: Größe" in mine.of(n).render(EMAIL_HTML).text
    assert shown(payload(FIRING, mine.of(FIRING))) == shown(payload(FIRING))
    mail = compose(n, "a@example.org", ["b@example.org"], NOW, mine.of(n))
    assert mail["Subject"] == "[P0] INC-4711 Größe of 日本 is over 9000 🔥"


def test_a_wording_that_is_not_there_is_noted_and_the_usual_text_sent(texts):
    wording = texts(night_txt="x").of(replace(FIRING, wording="day"))
    assert wording.render(SLACK_TEXT).text == slack_text(SHIPPED_TEXTS)
    assert "there is no template day" in wording.receipt("ok")


def test_the_names_of_wordings_are_known_without_a_message(texts, tmp_path):
    texts(night_txt="x", a1_email__subject_txt="x", slack__text_txt="x")
    assert wordings(tmp_path) == {"night", "a1"}
    assert wordings(None) == frozenset()


@pytest.mark.parametrize(
    "source", ["{{ 'x' * 50000 }}", "{{ '&' * 20000 }}", "{{ title }}\n" * 900, " \n", "🔥" * 9000]
)
@pytest.mark.parametrize("message", [HOSTILE, HUGE], ids=["hostile", "huge"])
@pytest.mark.parametrize("ending", ["txt", "mrkdwn"])
def test_slacks_limits_are_kept_whatever_a_template_gives(texts, source, message, ending):
    mine = texts(slack__title_txt=source, slack__phone_txt=source, **{f"slack__text_{ending}": source})
    for template in (Template.APPROVAL_NEEDED, Template.BUNDLE):
        n = replace(message, template=template)
        found = [one for one in problems(payload(n, mine.of(n))) if "formatting" not in one]
        assert found == []


def test_a_text_in_slacks_notation_is_cut_between_links(texts):
    mine = texts(slack__text_mrkdwn="<https://wiki.example.org/a/long/address|read> &amp; " * 200)
    (text,) = [
        block["text"]["text"] for block in payload(FIRING, mine.of(FIRING))["blocks"] if "read>" in str(block)
    ]
    assert len(text) <= 2900
    assert text.endswith("…")
    assert text.count("<") == text.count(">")
