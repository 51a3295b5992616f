"""wrk is made to send what the bench's own load sends."""

from __future__ import annotations

import re

from bench.bodies import Requests, Shape
from bench.wrk import script


def test_its_script_holds_the_same_requests():
    requests = Requests(Shape(alerts=2, services=1), token="t")
    found = script(requests, first=7)
    assert "local number = 6\n" in found
    parts = re.findall(r'"((?:[^"\\]|\\\d{3})*)"', found.splitlines()[1])
    unescaped = [re.sub(r"\\(\d{3})", lambda code: chr(int(code[1])), part) for part in parts]
    assert f"{7:012x}".join(unescaped).encode() == requests.make(7)
