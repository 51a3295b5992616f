"""What an account of MariaDB or MySQL may do, read from the lines that SHOW GRANTS answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# To work with the data, and to bring the schema to another revision.
WORKING = ("SELECT", "INSERT", "UPDATE", "DELETE")
UPGRADING = ("CREATE", "ALTER", "INDEX", "REFERENCES", "TRIGGER")
UPGRADING_MYSQL = (*UPGRADING, "LOCK TABLES")  # it cannot replace a trigger, so nobody may insert meanwhile

_ALL = "ALL PRIVILEGES"
# GRANT SELECT, UPDATE (`a`) ON `db`.* TO `user`@`host` ...; a role's line, GRANT `role` TO ..., has no ON.
_LINE = re.compile(r"^GRANT (?P<what>.+?) ON (?P<where>\S+) TO ", re.IGNORECASE)
_ROLE = re.compile(r"^GRANT (?:(?! ON ).)+ TO ", re.IGNORECASE)
_COLUMNS = re.compile(r"\([^)]*\)")


@dataclass(frozen=True, slots=True)
class _Grant:
    privileges: frozenset[str]
    database: str  # a LIKE pattern, `*` for every database
    table: str  # `*` for every table


@dataclass(frozen=True, slots=True)
class Grants:
    """The account's rights. `has_roles`: some may come through a role and not be listed."""

    grants: tuple[_Grant, ...]
    has_roles: bool

    def missing(
        self, wanted: Sequence[str], database: str, tables: Iterable[str] = ("*",)
    ) -> tuple[str, ...]:
        """Those of `wanted` that the account lacks on at least one of the tables (default: on the whole database)."""
        held = [self._on(database, table) for table in tables]
        return tuple(name for name in wanted if not all(_ALL in one or name in one for one in held))

    @property
    def has_super(self) -> bool:
        """Whether the account has SUPER, which stands above the binary log's distrust of triggers."""
        return any(grant.database == "*" and grant.privileges & {_ALL, "SUPER"} for grant in self.grants)

    def _on(self, database: str, table: str) -> frozenset[str]:
        matching = (
            grant.privileges
            for grant in self.grants
            if _matches(grant.database, database) and grant.table in ("*", table)
        )
        return frozenset().union(*matching)


def parse_grants(lines: Iterable[str]) -> Grants:
    """The rights that the lines of SHOW GRANTS give. Rights on single columns count as none."""
    grants = []
    has_roles = False
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            has_roles = has_roles or _ROLE.match(line) is not None
            continue
        database, _, table = found["where"].replace("`", "").partition(".")
        grants.append(_Grant(frozenset(_privileges(found["what"])), database, table))
    return Grants(tuple(grants), has_roles)


def _privileges(text: str) -> Iterable[str]:
    for name in _COLUMNS.sub("(", text).upper().split(","):
        if not name.endswith("("):
            yield _ALL if name.strip() == "ALL" else name.strip()


def _matches(pattern: str, database: str) -> bool:
    """Whether a grant's database pattern (`_` and `%` as in LIKE, a backslash before them taking that away) fits."""
    if pattern in ("*", database):
        return True
    tokens = re.findall(r"\\.|.", pattern)
    wild = {"%": ".*", "_": "."}
    expression = "".join(wild.get(token) or re.escape(token.removeprefix("\\")) for token in tokens)
    return re.fullmatch(expression, database) is not None
