"""Asks the API server of a Kubernetes cluster: over httpclient, in bounded time, one request a call, none repeated.

Its own few requests instead of the official client: what it sends, how long it waits and what a failure means for the
one who asked (nothing happened, it is refused, nobody knows) must be plain to see here.
"""

from receiver.kubeclient.access import Access, access_of
from receiver.kubeclient.client import KubeClient, build_kubeclient

__all__ = ["Access", "KubeClient", "access_of", "build_kubeclient"]
