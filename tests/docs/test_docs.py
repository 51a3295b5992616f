"""What the documents list is what the code has, and every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from receiver import errors
from receiver.app import create_app
from receiver.clock import utc_now
from receiver.config import SETTINGS
from receiver.domain.alert import Disposition
from receiver.domain.incident import Mitigation
from receiver.domain.rules.effects import EFFECTS, EVENTS, NotifyEffect
from receiver.domain.rules.fields import FIELDS, OUTCOMES
from receiver.domain.rules.parse import parse_rules
from receiver.ids import new_trace_id
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE
from receiver.services.intake import Intake
from receiver.services.rehearsal import rehearse
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body
from receiver.storage.migrate import bundled
from tests.builders import bodies
from tests.fixtures.runtimes import RuntimeFactory

ROOT = bundled("sql").parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def table(name: str, document: str = "operations.md") -> list[list[str]]:
    """The rows between the markers of a table in a document, without the head."""
    text = (ROOT / "docs" / document).read_text()
    between = text.partition(f"<!-- {name}:")[2].partition(f"<!-- {name} end -->")[0]
    rows = [line.strip("|").split(" | ") for line in between.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_settings_table_is_the_settings() -> None:
    expected = [
        [
            f"`{one.name}`",
            f"`{one.default}`" if one.default else "",
            one.help + (" Secret." if one.secret else ""),
        ]
        for one in SETTINGS
    ]
    assert table("settings") == expected


def test_the_metrics_table_is_what_is_served(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime(sqlite_engine)
    intake = Intake(runtime)
    intake.accept(intake.read(bodies.alertmanager([bodies.alert()]), trace_id=new_trace_id()))
    served = create_app(runtime.settings, runtime).test_client().get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(served)}
    # `_created` says when a counter began; prometheus_client adds it to each.
    ours = {name for name in families if name.startswith("receiver_") and not name.endswith("_created")}
    listed = {}
    for name, labels, about in table("metrics"):
        family = families[name.strip("`").removesuffix("_total")]
        listed[family.name] = about
        assert about == family.documentation
        known = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert not known or known == set(filter(None, labels.split(", "))), name
    assert set(listed) == ours


def test_the_routes_table_is_what_the_receiver_says_of_itself(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    runtime = make_runtime(sqlite_engine)
    spec = create_app(runtime.settings, runtime).test_client().get("/openapi.json").json
    assert spec is not None
    served = {
        (method.upper(), path)
        for path, item in spec["paths"].items()
        for method in item
        if method != "parameters"
    }
    listed = set()
    for route, _, _ in table("routes", "api.md"):
        methods, _, path = route.strip("`").rpartition(" ")
        listed |= {(method, path) for method in methods.split(", ")}
    assert listed == served


def test_every_kind_of_problem_is_listed() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RequestRefused)
    ]
    assert len(kinds) > 8
    assert [
        kind.slug for kind in kinds if f"`{kind.slug}`" not in text and kind is not errors.RequestRefused
    ] == []


def test_every_disposition_is_explained() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    unused_yet = {Disposition.SUPPRESSED}
    assert [one for one in Disposition if f"`{one.value}`" not in text and one not in unused_yet] == []


def test_the_rules_in_the_documents_have_no_mistakes_and_do_what_is_said() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    example, _ = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    rules, problems = parse_rules(example, WANTED)
    assert rules is not None, problems
    examples: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
        ({"cluster": "staging", "severity": "warning"}, ("rule staging-is-quiet", None)),
        ({"service": "checkout", "severity": "critical"}, ("rule checkout-is-urgent", "P0")),
        (
            {"service": "search", "severity": "info"},
            ("incidents.priorities: P3 is not among P0, P1, P2", None),
        ),
    ]
    for labels, expected in examples:
        body = bodies.alertmanager([bodies.alert(**labels)])
        (rehearsal,) = rehearse(rules, parse_body(body, FieldMapping(), utc_now()), WANTED)
        assert (rehearsal.verdict.reason, rehearsal.verdict.priority) == expected
        assert f"`{expected[0]}`" in text or expected[1]
        effects = [effect for scene in rehearsal.scenes for effect in scene.effects]
        told = {effect.channel for effect in effects if isinstance(effect, NotifyEffect)}
        assert told == ({"pagerduty", "slack", "email"} if expected[1] else set())


def test_the_rules_with_actions_in_the_documents_do_what_is_said() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    _, example = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    rules, problems = parse_rules(example, WANTED, actions=CATALOGUE)
    assert rules is not None, problems

    def asked(**labels: Any) -> list[tuple[str, list[str]]]:
        """The events that follow, each with the rules that ask for more than messages because of it."""
        body = bodies.alertmanager([bodies.alert("CpuHigh", service="svc-a", **labels)])
        (rehearsal,) = rehearse(rules, parse_body(body, FieldMapping(), utc_now()), WANTED)
        return [
            (scene.event.value, [one.rule for one in scene.effects if not isinstance(one, NotifyEffect)])
            for scene in rehearsal.scenes
        ]

    assert asked(namespace="shop") == [
        ("incident.opened", ["cpu-look", "cpu-scale"]),
        ("incident.resolved", []),
        ("action.completed", []),
        ("action.failed", ["cpu-restart"]),
        ("action.requested", []),
        ("action.completed", []),
        ("action.failed", ["call-people"]),
    ]
    assert asked()[0] == ("incident.opened", ["cpu-look"])


def test_every_key_event_and_field_of_rules_is_explained() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    assert [one for one in (*EVENTS, *FIELDS, *WANTED) if f"`{one}`" not in text] == []
    assert [one for one in EFFECTS if f"| `{one}" not in text] == []
    assert [one for one in (*OUTCOMES, *Mitigation) if not re.search(rf"\b{one}\b", text)] == []


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if not target.startswith(("http://", "https://", "#")):
                yield document, target


def is_ignored(file: Path) -> bool:
    """Whether git leaves a file out, so that a clone has none. An archive without .git is what a clone is."""
    asked = ["git", "-C", str(ROOT), "check-ignore", "--quiet", str(file)]
    return (ROOT / ".git").exists() and subprocess.run(asked, check=False).returncode == 0


@pytest.mark.parametrize(
    ("document", "target"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in links()]
)
def test_every_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve()
    assert file.exists()
    assert not is_ignored(file), "only this checkout has it: git ignores it"
    if anchor:
        heads = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def named_tests() -> set[str]:
    return set(re.findall(r"`(tests/[\w/*.]+\.py)`", (ROOT / "docs" / "reliability.md").read_text()))


@pytest.mark.parametrize("pattern", sorted(named_tests()))
def test_every_test_that_reliability_names_exists(pattern: str) -> None:
    assert list(ROOT.glob(pattern))
