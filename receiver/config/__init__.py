"""Settings, from the environment only.

Each field of `Settings` is one variable, `RECEIVER_` plus the field's name in capitals. Every variable can also be
given as a file (`RECEIVER_..._FILE`), which is how secrets should come. An empty value counts as not set.
To add one: a field in settings.py, what reads its text in parsers.py, a row in docs/operations.md.
"""

from receiver.config.load import FILE_SUFFIX, load
from receiver.config.parsers import ROLES, ApiToken, HostPort, Network
from receiver.config.settings import PREFIX, SETTINGS, Setting, Settings

__all__ = [
    "FILE_SUFFIX",
    "PREFIX",
    "ROLES",
    "SETTINGS",
    "ApiToken",
    "HostPort",
    "Network",
    "Setting",
    "Settings",
    "load",
]
