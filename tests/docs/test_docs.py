"""What the documents list is what the code has, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from receiver.app import create_app
from receiver.config import SETTINGS
from receiver.domain.alert import Disposition
from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from receiver.storage.migrate import bundled
from tests.builders import bodies
from tests.fixtures.runtimes import RuntimeFactory

ROOT = bundled("sql").parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def table(name: str) -> list[list[str]]:
    """The rows between the markers of a table in docs/operations.md, without the head."""
    text = (ROOT / "docs" / "operations.md").read_text()
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
    ours = {name for name in families if name.startswith("receiver_")}
    listed = {}
    for name, labels, about in table("metrics"):
        family = families[name.strip("`").removesuffix("_total")]
        listed[family.name] = about
        assert about == family.documentation
        known = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert not known or known == set(filter(None, labels.split(", "))), name
    assert set(listed) == ours


def test_every_disposition_is_explained() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    unused_yet = {Disposition.SUPPRESSED, Disposition.IGNORED}
    assert [one for one in Disposition if f"`{one.value}`" not in text and one not in unused_yet] == []


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if not target.startswith(("http://", "https://", "#")):
                yield document, target


@pytest.mark.parametrize(
    ("document", "target"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in links()]
)
def test_every_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (document.parent / path).resolve()
    assert file.exists()
    if anchor:
        heads = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def named_tests() -> set[str]:
    return set(re.findall(r"`(tests/[\w/*.]+\.py)`", (ROOT / "docs" / "reliability.md").read_text()))


@pytest.mark.parametrize("pattern", sorted(named_tests()))
def test_every_test_that_reliability_names_exists(pattern: str) -> None:
    assert list(ROOT.glob(pattern))
