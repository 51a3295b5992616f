"""command.run: one of the commands that the operator has allowed, by name."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.base import shown, system_key
from receiver.remediation.child import run_child
from receiver.remediation.command_list import SETTING, Command


class RunCommand:
    """Starts the program with its argument vector. Whatever it does is one change: it is never started twice."""

    signature = Signature(
        name="command.run",
        help=f"Runs one of the commands in `{SETTING}`.",
        required=("command",),
        parameters=(Parameter("arguments", Type.TABLE, "texts by name, as the command asks for them"),),
    )

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    def mistakes(self, order: Order) -> list[str]:
        """See Action.mistakes."""
        return self.signature.problems(order)

    def check(self, order: Order) -> list[str]:
        """See Action.check."""
        problems = self.mistakes(order)
        if problems:
            return problems
        command = self._commands.get(order.target["command"])
        if command is None:
            known = ", ".join(sorted(self._commands)) or "none"
            return [f"target.command: {shown(order.target['command'])} is not in {SETTING}; it has {known}"]
        return command.flaws_of(_arguments(order))

    def target_text(self, order: Order) -> str:
        """See Action.target_text."""
        return f"command:{order.target['command']}"

    def system(self, order: Order) -> str:
        """One for each command."""
        return system_key(self.target_text(order))

    def plan(self, order: Order) -> Plan:
        """The command as it would be run. Nothing is started."""
        command = self._command(order)
        return Plan(f"run {shlex.join(command.argv(_arguments(order)))}", to_state={"exit_status": 0})

    def run(self, order: Order, plan: Plan) -> Result:
        """Its output. Raises DeliveryFailed: permanent for an exit status but 0, unknown if it had to be killed."""
        command = self._command(order)
        ended = run_child(
            command.argv(_arguments(order)),
            seconds=command.timeout_seconds,
            folder=command.folder,
            environment=command.environment,
        )
        if ended.status != 0:
            # The last line is where programs say why.
            last = ended.output.strip().rpartition("\n")[2][:200]
            raise DeliveryFailed(f"exit status {ended.status}{f': {last}' if last else ''}", permanent=True)
        cut = "\n[cut here]" if ended.is_cut else ""
        return Result(ended.output + cut, {"exit_status": 0})

    def _command(self, order: Order) -> Command:
        command = self._commands.get(order.target["command"])
        if command is None or command.flaws_of(_arguments(order)):
            raise DeliveryFailed("; ".join(self.check(order)), permanent=True)
        return command


def _arguments(order: Order) -> Mapping[str, str]:
    found: Mapping[str, str] = order.parameters.get("arguments", {})
    return found
