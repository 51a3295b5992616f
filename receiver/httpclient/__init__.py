"""The only way out: HTTP requests in bounded time, without redirects, whose failures never tell the address.

An address is a secret here: whoever knows a Slack webhook's URL can post with it. So no error text, no exception
chain and no log line of this package (or of the libraries below it) has a URL, a host, a path, a query or a header.

Proxies and certificate authorities come from the environment, as requests reads it (HTTPS_PROXY, NO_PROXY,
REQUESTS_CA_BUNDLE): behind a company's proxy nothing else reaches Slack. Loopback addresses never go through a
proxy, and ~/.netrc is not used. Addresses that users give are asked through a client with an AddressGuard.
"""

from receiver.httpclient.address_guard import AddressGuard, Network
from receiver.httpclient.client import HttpClient, encode
from receiver.httpclient.response import Judge, Response, failure_of, private_parts, quote

__all__ = [
    "AddressGuard",
    "HttpClient",
    "Judge",
    "Network",
    "Response",
    "encode",
    "failure_of",
    "private_parts",
    "quote",
]
