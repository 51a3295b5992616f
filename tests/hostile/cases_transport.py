"""Hostile transport: framing, headers, methods, protocols."""

# ruff: noqa: E501 - a table, one case a line

from __future__ import annotations

from tests.hostile.wire import BEARER, CLOSED, PATH, Case, request

GOOD = b'{"alerts": [], "version": "4"}'
_CHUNKED = "Transfer-Encoding: chunked"


def _chunked(body: bytes, *headers: str) -> bytes:
    return request(body, _CHUNKED, *headers, length=False)


def _bare(head: str, body: bytes = b"") -> bytes:
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


TRANSPORT = (
    Case("two different lengths", request(GOOD, "Content-Length: 3"), (400,)),
    Case("the same length twice", request(GOOD, f"Content-Length: {len(GOOD)}"), (400,)),
    Case("two lengths in one header", request(GOOD, "Content-Length: 3, 30", length=False), (400,)),
    Case("length and chunks", request(b"0\r\n\r\n", _CHUNKED), (400,)),
    Case("negative length", request(GOOD, "Content-Length: -1", length=False), (400,)),
    Case("length with a plus", request(GOOD, "Content-Length: +30", length=False), (400,)),
    Case("hexadecimal length", request(GOOD, "Content-Length: 0x1e", length=False), (400,)),
    Case("length that is no number", request(GOOD, "Content-Length: many", length=False), (400,)),
    Case("length in other digits", request(GOOD, "Content-Length: \xb2\xb2", length=False), (400,)),
    Case("length of 5000 digits", request(GOOD, "Content-Length: " + "9" * 5000, length=False), (400,)),
    Case("length beyond the body", request(GOOD, "Content-Length: 400", length=False), (400,)),
    Case("length short of the body", request(GOOD, "Content-Length: 10", length=False), (200,), GOOD[:10]),
    Case("no length", request(b"", length=False), (200,)),
    Case("chunk size that is no number", _chunked(b"zz\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("negative chunk size", _chunked(b"-2\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("huge chunk size", _chunked(b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("chunk without its end", _chunked(b"2\r\n{}XX0\r\n\r\n"), (400,)),
    Case("chunks that stop early", _chunked(b"20\r\n{}"), (400,)),
    Case("no last chunk", _chunked(b"2\r\n{}\r\n"), (400,)),
    Case("chunk extension", _chunked(b"2;a=b\r\n{}\r\n0\r\n\r\n"), (200,), b"{}"),
    Case("chunk extension with a bare line feed", _chunked(b"2;a\nb\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("chunk extension of 100 KB", _chunked(b"2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("trailer with a credential", _chunked(b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n"), (200,), b"{}"),
    Case("good chunks", _chunked(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), (200,), b"{}"),
    Case("chunks twice over", request(b"0\r\n\r\n", _CHUNKED, _CHUNKED, length=False), (400,)),
    Case("unknown transfer coding", request(b"{}", "Transfer-Encoding: x", length=False), (501,)),
    Case("chunked not last", request(b"{}", "Transfer-Encoding: chunked, identity", length=False), (400,)),
    Case("chunked with a control character", request(b"{}", "Transfer-Encoding: \x0bchunked", length=False), (400,)),
    Case("compressed body", request(b"\x1f\x8b", "Content-Encoding: gzip"), (415,)),
    Case("header of 8 KB", request(GOOD, "X-Long: " + "a" * 8300), (431,)),
    Case("header just under the limit", request(GOOD, "X-Long: " + "a" * 8000), (200,), GOOD),
    Case("101 headers", request(GOOD, *(f"X-{n}: a" for n in range(101))), (431,)),
    Case("head of 1 MB", request(GOOD, *(f"X-{n}: {'a' * 8000}" for n in range(125))), (431,)),
    Case("header without a name", request(GOOD, ": a"), (400,)),
    Case("space before the colon", request(GOOD, "X-A : b"), (400,)),
    Case("folded header", request(GOOD, "X-A: b\r\n c"), (400,)),
    Case("NUL in a header", request(GOOD, "X-A: \0"), (400,)),
    Case("bare line feed in a header", request(GOOD, "X-A: b\nX-C: d"), (400,)),
    Case("header name with an underscore", request(GOOD, "X_Forwarded_For: 1.2.3.4"), (200,), GOOD),
    Case("authorization with an underscore in its stead", request(GOOD, "HTTP_AUTHORIZATION: Bearer x", auth=False), (401,)),
    Case("no host", _bare(f"POST {PATH} HTTP/1.1\n{BEARER}\nConnection: close\nContent-Length: 2", b"{}"), (200,), b"{}"),
    Case("two hosts", request(GOOD, "Host: other.example"), (400,)),
    Case("method override to DELETE", request(GOOD, "X-HTTP-Method-Override: DELETE"), (200,), GOOD),
    Case("method override from GET", request(b"", "X-HTTP-Method-Override: POST", method="GET"), (405,)),
    Case("method override in the query", request(GOOD, path=PATH + "?_method=DELETE"), (200,), GOOD),
    Case("DELETE", request(b"", method="DELETE"), (405,)),
    Case("TRACE", request(b"", method="TRACE"), (405,)),
    Case("CONNECT", request(b"", method="CONNECT", path="receiver.example:80"), (404,)),
    Case("lower-case method", request(GOOD, method="post"), (400,)),
    Case("method of 5000 characters", request(GOOD, method="P" * 5000), (414,)),
    Case("PUT", request(GOOD, method="PUT"), (200,), GOOD),
    Case("absolute-form target", request(GOOD, path=f"http://other.example{PATH}"), (200,), GOOD),
    Case("target with dots", request(GOOD, path="/api/v1/../v1/webhooks/alertmanager"), (404,)),
    Case("target with an encoded slash", request(GOOD, path="/api%2fv1%2fwebhooks%2falertmanager"), (200,), GOOD),
    Case("target with two slashes", request(GOOD, path="//api/v1/webhooks/alertmanager"), (200,), GOOD),
    Case("NUL in the target", request(GOOD, path=PATH + "%00"), (404,)),
    Case("raw NUL in the target", request(GOOD, path=PATH + "\0"), (400,)),
    Case("invalid UTF-8 in the target", request(GOOD, path="/%ff%fe"), (404,)),
    Case("target of 5000 characters", request(GOOD, path="/" + "a" * 5000), (414,)),
    Case("query that is not UTF-8", request(GOOD, path=PATH + "?a=%ff"), (200,), GOOD),
    Case("HTTP/1.0", _bare(f"POST {PATH} HTTP/1.0\n{BEARER}\nContent-Length: 2", b"{}"), (200,), b"{}"),
    Case("HTTP/1.0 with chunks", _bare(f"POST {PATH} HTTP/1.0\n{BEARER}\n{_CHUNKED}", b"2\r\n{}\r\n0\r\n\r\n"), (400,)),
    Case("HTTP/0.9", b"GET /livez\r\n\r\n", (400,)),
    Case("HTTP/9.9", _bare("GET /livez HTTP/9.9\nHost: a"), (400,)),
    Case("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", (400,)),
    Case("upgrade to h2c", request(GOOD, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), (200,), GOOD),
    Case("upgrade to websocket", request(GOOD, "Upgrade: websocket"), (200,), GOOD),
    Case("TLS to a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, (CLOSED,)),
    Case("PROXY protocol", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + request(GOOD), (400,)),
    Case("expects 100-continue", request(GOOD, "Expect: 100-continue"), (200,), GOOD),
    Case("expects something else", request(GOOD, "Expect: a-miracle"), (417,)),
    Case("only line ends", b"\r\n" * 50, (400,)),
    Case("nothing at all", b"", (CLOSED,)),
    Case("half a head", f"POST {PATH} HTTP/1.1\r\nHo".encode(), (CLOSED,)),
    Case("hangs up within the body", request(GOOD, "Content-Length: 9999", length=False), (CLOSED,), hang_up=True),
    Case("hangs up before the answer", request(b"", path="/livez", method="GET"), (CLOSED,), hang_up=True),
)  # fmt: skip
