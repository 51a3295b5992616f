"""docs/actions.md lists the actions that there are, as they are, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

from receiver.domain.action import Order, Signature
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.command_list import read_commands
from receiver.remediation.registry import CATALOGUE
from receiver.storage.migrate import bundled
from tests.builders.actions import actions, carry_out
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer

TEXT = (bundled("sql").parent / "docs" / "actions.md").read_text()


def keys(signature: Signature) -> str:
    return ", ".join(
        [f"`{key}`" for key in signature.required] + [f"`{key}` (optional)" for key in signature.optional]
    )


def parameters(signature: Signature) -> str:
    """As the table has them: name, kind and bounds, what it is for."""
    lines = []
    for one in signature.parameters:
        bounds = ", ".join(filter(None, (one.type.value, one.range, ", ".join(one.choices))))
        lines.append(f"`{one.name}`{' (required)' if one.is_required else ''}: {one.help} ({bounds})")
    return "<br>".join(lines)


def rows() -> list[list[str]]:
    between = TEXT.partition("<!-- actions:")[2].partition("<!-- actions end -->")[0]
    lines = [line.strip("|").split(" | ") for line in between.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_the_table_of_actions_is_the_catalogue():
    expected = [[f"`{one.name}`", keys(one), parameters(one), one.help] for one in CATALOGUE.values()]
    assert [row[:4] for row in rows()] == expected
    assert all(row[4] for row in rows())


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_worked_example_does_what_is_said_of_it():
    rules, problems = parse_rules(examples()[0], WANTED, actions=CATALOGUE)
    assert rules is not None, problems
    spec = rules.rules[0].run
    assert spec is not None
    assert dict(spec.rendered({"namespace": "shop", "service": "svc-a"}).target) == {
        "namespace": "shop",
        "deployment": "svc-a",
    }
    wanted = Order(spec.action, {"namespace": "shop", "deployment": "svc-a"}, spec.parameters)
    with KubernetesServer() as cluster:
        cluster.put("shop", deployment())
        known = actions(**cluster.settings)
        assert f"`{known[spec.action].plan(wanted).text}`" in TEXT
        assert f"`{carry_out(known, wanted).output}`" in TEXT


def test_the_example_of_a_command_has_no_mistakes(tmp_path: Path):
    file = tmp_path / "commands.yml"
    file.write_text(examples()[1])
    command = read_commands(file)["flush-cache"]
    assert command.argv({"service": "svc-a"}) == ["/usr/local/bin/flush-cache", "--service", "svc-a"]
    assert command.flaws_of({"service": "--all"})
