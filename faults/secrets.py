"""The secrets that are planted: in the settings and in the bodies. None of them may ever stand in a log."""

from __future__ import annotations

WEBHOOK_TOKEN = "planted-webhook-token-7c1f0a"
ROUTING_KEY = "0123456789abcdefplanted789abcdef"
KUBERNETES_TOKEN = "planted-kubernetes-token-5d2e"
API_TOKEN = "planted-api-token-93ab41"
IN_BODIES = "planted-secret-of-an-annotation-e81c"
