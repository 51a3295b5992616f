"""What `receiver up` prints once it answers: where things are, what to enter at the senders, a first alert."""

from __future__ import annotations

from textwrap import dedent, indent

from receiver.config import Settings
from receiver.storage.inspect import place_of

# The README shows the same. Without a start time: sent again it is a repeat, sent as resolved it ends the incident.
_BODY = """{
  "version": "4",
  "alerts": [{
    "status": "firing",
    "labels": {"alertname": "CpuHigh", "severity": "critical", "service": "svc-a", "namespace": "shop"},
    "annotations": {"summary": "CPU over 90 % for five minutes"}
  }]
}"""


def banner(settings: Settings, local_url: str) -> str:
    """The text, without any secret. `local_url` is how this machine reaches the receiver."""
    public_url = settings.public_url or local_url
    return "\n".join(
        (
            "",
            "The receiver and its worker are running. Ctrl-C stops both.",
            "",
            f"  Incidents  {local_url}/api/v1/incidents",
            f"  API        {local_url}/docs",
            f"  Data       {place_of(settings.database_url)}",
            f"  Channels   {_channels(settings)}",
            "",
            "Grafana: Alerting > Contact points > Create contact point, integration Webhook",
            indent(grafana(settings, public_url), "  "),
            "",
            "Alertmanager: in alertmanager.yml",
            indent(alertmanager(settings, public_url), "  "),
            "",
            "Send a first alert:",
            indent(first_alert(settings, local_url), "  "),
            "",
            "and see the incident it opened:",
            f"  {incidents(settings, local_url)}",
            "",
        )
    )


def grafana(settings: Settings, url: str) -> str:
    """The fields of Grafana's contact point."""
    lines = [f"URL          {url}/api/v1/webhooks/grafana", "HTTP method  POST"]
    if settings.webhook_token:
        lines.append("Authorization header: scheme Bearer, credentials: a token of RECEIVER_WEBHOOK_TOKEN")
    elif settings.webhook_basic:
        lines.append("HTTP basic authentication: user and password of RECEIVER_WEBHOOK_BASIC")
    elif settings.webhook_hmac_secret:
        lines.append("HMAC signature: the secret of RECEIVER_WEBHOOK_HMAC_SECRET")
        if settings.webhook_hmac_timestamp_header:
            lines.append(f"Timestamp header: {settings.webhook_hmac_timestamp_header}")
    return "\n".join(lines)


def alertmanager(settings: Settings, url: str) -> str:
    """The route and the receiver in Alertmanager's configuration, YAML."""
    text = dedent(
        f"""\
        route:
          receiver: alert-receiver
        receivers:
          - name: alert-receiver
            webhook_configs:
              - url: {url}/api/v1/webhooks/alertmanager
                send_resolved: true"""
    )
    if settings.webhook_token:
        credentials = """\
                http_config:
                  authorization:
                    credentials_file: /path/to/a/file/with/the/token"""
    elif settings.webhook_basic:
        credentials = """\
                http_config:
                  basic_auth:
                    username: the user of RECEIVER_WEBHOOK_BASIC
                    password_file: /path/to/a/file/with/the/password"""
    elif settings.webhook_hmac_secret:
        credentials = "  # Alertmanager cannot sign: set RECEIVER_WEBHOOK_TOKEN for it"
        return f"{text}\n{credentials}"
    else:
        return text
    return f"{text}\n{indent(dedent(credentials), ' ' * 8)}"


def first_alert(settings: Settings, url: str) -> str:
    """A curl command that sends an Alertmanager body with one firing alert."""
    credential = ""
    if settings.webhook_token:
        credential = ' -H "Authorization: Bearer $TOKEN"'  # a variable: the secret is not printed
    elif settings.webhook_basic:
        credential = ' -u "$USER_AND_PASSWORD"'
    elif settings.webhook_hmac_secret:
        return "(only signed requests are taken: use the Test button of Grafana's contact point)"
    address = f"{url}/api/v1/webhooks/alertmanager"
    return f"curl -sS -X POST {address}{credential} -H 'Content-Type: application/json' -d '{_BODY}'"


def incidents(settings: Settings, url: str) -> str:
    """A curl command that lists the incidents."""
    credential = ' -H "Authorization: Bearer $API_TOKEN"' if settings.api_tokens else ""
    return f"curl -sS {url}/api/v1/incidents{credential}"


def _channels(settings: Settings) -> str:
    if settings.channels:
        return f"{', '.join(settings.channels)}; `receiver notify-test` sends a test message"
    return "none, nobody is told: set RECEIVER_SLACK_WEBHOOK_URL and start again"
