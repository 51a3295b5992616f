"""Whether Redis serves: PING. https://redis.io/docs/latest/develop/reference/protocol-spec/"""

from __future__ import annotations

from receiver.diagnostics.base import Facts, Place
from receiver.errors import DeliveryFailed
from receiver.tcpclient import Line, talk

# What a server answers that is there and wants a password first.
_LOCKED = (b"-NOAUTH", b"-WRONGPASS", b"-NOPERM")
# And one that is there, but in no state to serve.
_TROUBLE = {
    b"-LOADING": "it is loading its data",
    b"-MASTERDOWN": "its master is away",
    b"-BUSY": "a script keeps it busy",
    b"-MISCONF": "it cannot save its data, and takes no writes",
    b"-ERR max number of clients": "too many clients",
}


def look(place: Place, seconds: float) -> Facts:
    """With a login: signs in and asks. Without: asks, and takes the demand for a password as the answer."""
    answer = talk(
        place.address.host, place.address.port, seconds, place.guard, lambda line: _talk(line, place)
    )
    if answer == b"+PONG" or (place.login is None and answer.startswith(_LOCKED)):
        return {"ok": True}
    for begin, reason in _TROUBLE.items():
        if answer.startswith(begin):
            raise DeliveryFailed(f"the server refuses: {reason}")
    if answer.startswith(_LOCKED):
        raise DeliveryFailed("the server refuses the user or the password")
    raise DeliveryFailed("connected, but the answer was not that of a Redis server")


def _talk(line: Line, place: Place) -> bytes:
    if place.login is not None and place.login.password:
        user = [place.login.username] if place.login.username else []
        line.send(_command("AUTH", *user, str(place.login.password)))
        answer = line.receive_line()
        if answer != b"+OK":
            return answer
    line.send(_command("PING"))
    return line.receive_line()


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
