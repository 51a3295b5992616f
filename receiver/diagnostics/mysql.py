"""Whether MySQL or MariaDB serves clients."""

from __future__ import annotations

import struct
import warnings
from contextlib import suppress
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from receiver.diagnostics.base import Facts, Place
from receiver.errors import DeliveryFailed
from receiver.tcpclient import Line, talk

# A user that should not exist: to break off before the login would make the server count a connection error, and
# after 100 of them it blocks the whole host (max_connect_errors).
STRANGER = "receiver-probe"
# What a server says that is there, but in no state to serve: https://mariadb.com/kb/en/mariadb-error-code-reference/
_TROUBLE = frozenset(
    {
        ER.CON_COUNT_ERROR,  # too many connections
        ER.OUT_OF_RESOURCES,
        ER.SERVER_SHUTDOWN,
        ER.HOST_IS_BLOCKED,
        ER.CANT_CREATE_THREAD,
        ER.TOO_MANY_USER_CONNECTIONS,
        ER.USER_LIMIT_REACHED,
    }
)
_STRANGE = "connected, but the answer was not that of a MySQL or MariaDB server"
# What the driver stumbles over where something else answers.
_GARBLED = (LookupError, ValueError, TypeError, AssertionError, struct.error)
_CONNECTIONS = (
    "SELECT @@max_connections, (SELECT variable_value FROM {}.global_status"
    " WHERE variable_name = 'Threads_connected')"
)


def look(place: Place, seconds: float) -> Facts:
    """With a login: signs in, and says how many connections are in use. Without: whether it lets others sign in."""
    facts = talk(
        place.address.host, place.address.port, seconds, place.guard, lambda line: _talk(line, place, seconds)
    )
    if isinstance(facts, DeliveryFailed):
        raise facts  # here, so that the driver's error is no context
    return facts


def _talk(line: Line, place: Place, seconds: float) -> Facts | DeliveryFailed:
    login = place.login
    client = pymysql.Connection(
        host=place.address.host,
        user=str(login.username or "") if login else STRANGER,
        password=str(login.password or "") if login else "",
        database=login.database if login else None,
        read_timeout=max(1, round(seconds)),
        write_timeout=max(1, round(seconds)),
        defer_connect=True,
    )
    try:
        # A connection of its own would be one that no guard has looked at; it is given this one.
        client.connect(sock=line.socket)
        return {"ok": True, "version": _version(client)} | (_connections(client) if login else {})
    except pymysql.MySQLError as error:
        return _answered(client, error, is_known=login is not None)
    except _GARBLED:
        return DeliveryFailed(_STRANGE)
    finally:
        with suppress(pymysql.MySQLError, OSError):
            client.close()


def _answered(client: Any, error: pymysql.MySQLError, *, is_known: bool) -> Facts | DeliveryFailed:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code in (CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR):
        cause = getattr(error, "original_exception", None) or error.__context__
        # The caller knows how long it was to take, and says what this means.
        raise cause if isinstance(cause, OSError) else ConnectionError("closed early")
    is_of_server = 1000 <= code < 2000 or code >= 3000
    if not is_of_server and code != CR.CR_AUTH_PLUGIN_CANNOT_LOAD:
        return DeliveryFailed(_STRANGE)
    if is_known or code in _TROUBLE:
        # The server's own words may name users and hosts; its number stands in every manual.
        return DeliveryFailed(f"the server refuses: error {code} ({_name(code)})")
    return {"ok": True, "version": _version(client)}


def _connections(client: Any) -> dict[str, int]:
    """Those in use and those allowed; nothing where the user may not see them."""
    for schema in ("information_schema", "performance_schema"):  # MariaDB, MySQL
        with suppress(pymysql.MySQLError), warnings.catch_warnings(), client.cursor() as cursor:
            warnings.simplefilter("ignore")
            cursor.execute(_CONNECTIONS.format(schema))
            most, used = cursor.fetchone()
            return {"connections": int(used), "max_connections": int(most)}
    return {}


def _version(client: Any) -> str:
    return str(getattr(client, "server_version", ""))[:64]


def _name(code: int) -> str:
    names = (name for name, value in vars(ER).items() if value == code and name.isupper())
    return next(names, "unknown").replace("_", " ").lower()
