"""The databases that actions may name, from RECEIVER_REMEDIATION_DATABASES: their addresses never come from a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from receiver.domain.action import Order, Signature
from receiver.remediation.base import system_key

SETTING = "RECEIVER_REMEDIATION_DATABASES"
CONNECT_SECONDS = 3
ANSWER_SECONDS = 10


class DatabaseAction:
    """A base for actions on a database. `engine`: what it is called; `schemes`: how addresses of its kind begin."""

    signature: ClassVar[Signature]
    engine: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, databases: Mapping[str, str]) -> None:
        self._urls = {name: text for name, text in databases.items() if _scheme(text) in self.schemes}
        self._others = frozenset(databases) - frozenset(self._urls)

    def mistakes(self, order: Order) -> list[str]:
        """See Action.mistakes."""
        return self.signature.problems(order) or self.more_problems(order)

    def check(self, order: Order) -> list[str]:
        """See Action.check."""
        problems = self.signature.problems(order)
        name = order.target.get("database")
        if isinstance(name, str) and name and name not in self._urls:
            problems.append(f"target.database: {self._unknown(name)}")
        return problems or self.more_problems(order)

    def more_problems(self, order: Order) -> list[str]:
        """What does not fit together in an order whose single values are right."""
        return []

    def target_text(self, order: Order) -> str:
        """See Action.target_text."""
        return f"{self.engine}:{order.target['database']}"

    def system(self, order: Order) -> str:
        """One for each database."""
        return system_key(self.target_text(order))

    def url(self, order: Order) -> str:
        """The address of the order's database, with user and password."""
        return self._urls[order.target["database"]]

    def parts(self, order: Order) -> URL:
        """The same taken apart."""
        return make_url(self.url(order))

    def _unknown(self, name: str) -> str:
        if name in self._others:
            return f"{name} is no {self.engine} database"
        known = ", ".join(sorted(self._urls)) or "none"
        return f"there is no {self.engine} database of this name in {SETTING}; it has {known}"


def _scheme(text: str) -> str:
    """`mysql` of `mysql+pymysql://...`; empty for what is no address."""
    try:
        return make_url(text).drivername.partition("+")[0]
    except ArgumentError:
        return ""
