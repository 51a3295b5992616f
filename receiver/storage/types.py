"""Column types that mean the same on SQLite, MariaDB and MySQL. Character sets and collations are always named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from receiver.clock import as_utc

ASCII = {"charset": "ascii", "collation": "ascii_bin"}
EXACT = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
PROSE = {"charset": "utf8mb4", "collation": "utf8mb4_unicode_520_ci"}


class UtcDateTime(TypeDecorator[datetime]):
    """DATETIME(6) that holds UTC; aware datetimes go in and come out."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """Microseconds on MySQL, whose DATETIME has none by default."""
        return dialect.type_descriptor(
            mysql.DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime()
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To naive UTC."""
        return None if value is None else as_utc(value).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def code(length: int) -> TypeEngine[str]:
    """Short ASCII text made by machines (ids, keys, names of ours), compared byte by byte."""
    return String(length).with_variant(mysql.VARCHAR(length, **ASCII), "mysql", "mariadb")


def exact(length: int) -> TypeEngine[str]:
    """Text from labels, any language, compared exactly: two rules must not merge because their letters are alike."""
    return String(length).with_variant(mysql.VARCHAR(length, **EXACT), "mysql", "mariadb")


def prose(length: int) -> TypeEngine[str]:
    """Text for people, compared without case."""
    return String(length).with_variant(mysql.VARCHAR(length, **PROSE), "mysql", "mariadb")


def long_text() -> TypeEngine[str]:
    """Text of any length, as it came."""
    return Text().with_variant(mysql.LONGTEXT(**EXACT), "mysql", "mariadb")


def exact_bytes() -> TypeEngine[bytes]:
    """Bytes of any length, as they came."""
    return LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def choice(*values: str) -> Enum:
    """One of `values`: ENUM on MySQL, a CHECK constraint on SQLite."""
    return Enum(*values, create_constraint=True, length=max(map(len, values)), validate_strings=True)


def big_id() -> TypeEngine[int]:
    """A 64-bit row number. SQLite numbers rows by itself only under the exact name INTEGER."""
    return (
        BigInteger()
        .with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")
        .with_variant(Integer(), "sqlite")
    )


def count() -> TypeEngine[int]:
    """A number of things."""
    return Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")


class DatabaseNow(FunctionElement[datetime]):
    """The database's own clock, UTC, microseconds: the one clock that all hosts share.

    CURRENT_TIMESTAMP is UTC on MySQL because every connection sets its time_zone to +00:00.
    """

    type = UtcDateTime()
    inherit_cache = True


@compiles(DatabaseNow)
def _now_on_mysql(element: DatabaseNow, compiler: Any, **options: Any) -> str:
    return "CURRENT_TIMESTAMP(6)"


@compiles(DatabaseNow, "sqlite")
def _now_on_sqlite(element: DatabaseNow, compiler: Any, **options: Any) -> str:
    # %f gives milliseconds; three zeros make it the six digits that all stored times have, so that texts compare.
    return "(strftime('%Y-%m-%d %H:%M:%f000','now'))"
