"""What a database server should be like, and what each shortcoming means: pure judgements over facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from receiver.domain.finding import Finding, bad, ok, warn
from receiver.domain.grants import UPGRADING, UPGRADING_MYSQL, WORKING, Grants

MIB = 1024 * 1024
# A body has 8 MiB at most, and grows when it is written as SQL text.
PACKET_MINIMUM = 16 * MIB
PACKET_ADVISED = 32 * MIB
CLOCK_TOLERANCE = timedelta(seconds=5)

# First known to work; the tests run on the second of each, and on later ones.
_OLDEST = {"SQLite": ((3, 31), (3, 35)), "MariaDB": ((10, 6), (10, 11)), "MySQL": ((8, 0, 16), (8, 4))}


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A server as it presents itself to this account. `variables` and `grants` are of MariaDB and MySQL only.

    `triggers` are those that the account can see: without the TRIGGER privilege MySQL shows none.
    """

    product: str
    version: str
    clock: datetime
    own_clock: datetime
    revision: str | None
    newest_revision: str
    triggers: frozenset[str]
    expected_triggers: frozenset[str]
    database: str = ""
    tables: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    grants: Grants | None = None

    @property
    def is_current(self) -> bool:
        """Whether the schema is the one that this release needs."""
        return self.revision == self.newest_revision

    @property
    def is_ahead(self) -> bool:
        """Whether a newer release has upgraded it. Revisions are numbered: 0001, 0002, ..."""
        return self.revision is not None and self.revision > self.newest_revision

    def on(self, variable: str) -> bool:
        """Whether a switch of the server is on."""
        return self.variables.get(variable, "").upper() in ("1", "ON", "YES")


def findings(facts: DatabaseFacts) -> Iterator[Finding]:
    """Everything that can be said of a database that answers, in the order in which a person would ask."""
    yield version(facts)
    yield schema(facts)
    yield triggers(facts)
    yield clock(facts)
    if facts.grants is None:
        return
    yield privileges(facts, facts.grants)
    yield binary_log(facts, facts.grants)
    yield writable(facts)
    yield time_zone(facts)
    yield sql_mode(facts)
    yield character_set(facts)
    yield packet_size(facts)
    yield flush_at_commit(facts)


def upgrade_obstacles(facts: DatabaseFacts) -> list[Finding]:
    """What would stop `db upgrade`, mostly half-way: MariaDB and MySQL cannot take back the tables made before."""
    if facts.is_current:
        return []
    if facts.is_ahead:
        return [schema(facts)]
    if facts.grants is None:
        return []
    judged = (privileges(facts, facts.grants), binary_log(facts, facts.grants), writable(facts))
    return [finding for finding in judged if finding.level == "bad"]


def version(facts: DatabaseFacts) -> Finding:
    """Whether the release is one that is known to work."""
    usable, tested = _OLDEST[facts.product]
    found = parse_version(facts.version)
    text = f"{facts.product} {facts.version}"
    wish = f"{facts.product} {_dotted(tested)} or later"
    if found < usable:
        return bad("version", f"{text} is too old", f"use {wish}")
    if found < tested:
        return warn("version", f"{text} is older than what the tests run on", f"use {wish}")
    return ok("version", text)


def schema(facts: DatabaseFacts) -> Finding:
    """Whether the schema is this release's."""
    if facts.is_current:
        return ok("schema", f"at revision {facts.revision}, which is the newest")
    if facts.revision is None:
        return bad(
            "schema", "the database is empty", "run `receiver db upgrade` (`receiver up` does it by itself)"
        )
    text = f"at revision {facts.revision}, this release needs {facts.newest_revision}"
    if facts.is_ahead:
        return bad("schema", text, "a newer release has upgraded it: run that one")
    return bad("schema", text, "run `receiver db upgrade`")


def triggers(facts: DatabaseFacts) -> Finding:
    """Whether the triggers, on which invariants I2 and I3 rest, are there."""
    missing = facts.expected_triggers - facts.triggers
    if facts.revision is None:
        return ok("triggers", "come with the schema")
    if not missing:
        return ok("triggers", f"all {len(facts.expected_triggers)} are there")
    if (
        not facts.triggers
        and facts.grants
        and facts.grants.missing(("TRIGGER",), facts.database, facts.tables)
    ):
        return warn(
            "triggers",
            "this account lacks TRIGGER and cannot see them",
            "ask with an account that has it; `receiver db check` tells by the counts whether they work",
        )
    names = ", ".join(sorted(missing))
    return bad(
        "triggers",
        f"missing: {names}",
        "create them from sql/triggers.sql: without them alert counts are wrong",
    )


def clock(facts: DatabaseFacts) -> Finding:
    """Whether the database's clock, which times the jobs, and ours, which times the alerts, agree."""
    apart = facts.clock - facts.own_clock
    seconds = f"{abs(apart.total_seconds()):.0f} s"
    if abs(apart) <= CLOCK_TOLERANCE:
        return ok("clocks", "the database's and this machine's agree")
    direction = "ahead of" if apart > timedelta() else "behind"
    return warn("clocks", f"the database's is {seconds} {direction} this machine's", "let NTP set both")


def privileges(facts: DatabaseFacts, grants: Grants) -> Finding:
    """Whether the account may do what it has to."""
    working = grants.missing(WORKING, facts.database, facts.tables or ("*",))
    wanted = UPGRADING_MYSQL if facts.product == "MySQL" else UPGRADING
    upgrading = grants.missing(wanted, facts.database)
    if (working or upgrading) and grants.has_roles:
        return warn(
            "privileges",
            f"{', '.join(working + upgrading)} may come through a role, which cannot be told from here",
            "make sure that the role is a default role of the account",
        )
    if working:
        return bad("privileges", f"missing: {', '.join(working)}", _grant(facts, working))
    if upgrading and not facts.is_current:
        text = f"missing for `db upgrade`: {', '.join(upgrading)}"
        return bad("privileges", text, f"{_grant(facts, upgrading)}, or upgrade with another account")
    if upgrading:
        return ok(
            "privileges",
            f"enough for the work; `db upgrade` needs an account with {', '.join(upgrading)} as well",
        )
    return ok("privileges", "enough for the work and for `db upgrade`")


def binary_log(facts: DatabaseFacts, grants: Grants) -> Finding:
    """Whether this account may create triggers: with the binary log on, error 1419 forbids it to most."""
    if not facts.on("log_bin"):
        return ok("binary log", "off")
    if facts.is_current and grants.missing(("TRIGGER",), facts.database):
        return ok("binary log", "on; this account creates no triggers anyway")
    if facts.on("log_bin_trust_function_creators") or grants.has_super:
        return ok("binary log", "on, and this account may create triggers")
    advice = (
        "SET GLOBAL log_bin_trust_function_creators = 1 (and in the server's configuration, or the parameter group of a"
        " managed database), or run `receiver db upgrade` with an account that has SUPER"
    )
    if facts.is_current:
        return warn("binary log", "on: this account could not create triggers again (error 1419)", advice)
    return bad("binary log", "on, and this account may not create triggers (error 1419)", advice)


def writable(facts: DatabaseFacts) -> Finding:
    """Whether the server takes writes at all."""
    if facts.on("read_only") or facts.on("super_read_only"):
        return bad(
            "writing",
            "the server is read-only",
            "point RECEIVER_DATABASE_URL at the primary, not at a replica",
        )
    return ok("writing", "the server takes writes")


def time_zone(facts: DatabaseFacts) -> Finding:
    """Whether the connection's times are UTC."""
    zone = facts.variables.get("time_zone", "")
    if zone == "+00:00":
        return ok("time zone", "connections use UTC")
    advice = "something between receiver and server (a proxy?) drops SET time_zone; connect directly"
    return bad("time zone", f"the connection's is {zone or 'unknown'} instead of +00:00", advice)


def sql_mode(facts: DatabaseFacts) -> Finding:
    """Whether the server would cut a value that does not fit, silently."""
    if "STRICT_TRANS_TABLES" not in facts.variables.get("sql_mode", ""):
        advice = "something between receiver and server (a proxy?) drops SET sql_mode; connect directly"
        return bad("sql_mode", "the connection is not strict: values that do not fit would be cut", advice)
    if "STRICT_TRANS_TABLES" not in facts.variables.get("global.sql_mode", ""):
        return ok(
            "sql_mode",
            "strict on the receiver's connections (the server's own default is not, for other clients)",
        )
    return ok("sql_mode", "strict")


def character_set(facts: DatabaseFacts) -> Finding:
    """Whether every character gets through."""
    used = facts.variables.get("character_set_connection", "")
    if used == "utf8mb4":
        return ok("characters", "connections use utf8mb4")
    return bad(
        "characters",
        f"connections use {used or 'something unknown'}",
        "remove charset from RECEIVER_DATABASE_URL",
    )


def packet_size(facts: DatabaseFacts) -> Finding:
    """Whether the largest body fits through a statement."""
    size = int(facts.variables.get("max_allowed_packet") or 0)
    text = f"max_allowed_packet is {size / MIB:g} MiB"
    advice = f"SET GLOBAL max_allowed_packet = {PACKET_ADVISED}, and in the server's configuration"
    if size < PACKET_MINIMUM:
        return bad("packet size", f"{text}: large bodies are refused", advice)
    if size < PACKET_ADVISED:
        return warn(
            "packet size", f"{text}, {PACKET_ADVISED // MIB} MiB are advised for the largest bodies", advice
        )
    return ok("packet size", text)


def flush_at_commit(facts: DatabaseFacts) -> Finding:
    """Whether a commit survives a power cut (invariant I1)."""
    value = facts.variables.get("innodb_flush_log_at_trx_commit", "")
    if value == "1":
        return ok("durability", "each commit is flushed to disk")
    return warn(
        "durability",
        f"innodb_flush_log_at_trx_commit is {value or 'unknown'}: a power cut loses acknowledged alerts",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in the server's configuration",
    )


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (10, 11, 19) of `10.11.19-MariaDB-0+deb12u1`."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _grant(facts: DatabaseFacts, names: tuple[str, ...]) -> str:
    return f"GRANT {', '.join(names)} ON `{facts.database}`.* to the account"
