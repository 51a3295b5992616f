"""Every built-in report, in the order in which people are told of them."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.services.reports.automation import Automation
from receiver.services.reports.base import ReportKind
from receiver.services.reports.incidents import Incidents
from receiver.services.reports.mtta_mttr import MttaMttr
from receiver.services.reports.noise import Noise
from receiver.services.reports.notifications import Notifications
from receiver.services.reports.responders import Responders
from receiver.services.reports.volume import Volume

_KINDS: tuple[ReportKind, ...] = (
    MttaMttr(),
    Volume(),
    Noise(),
    Incidents(),
    Responders(),
    Automation(),
    Notifications(),
)
REPORTS: Mapping[str, ReportKind] = {kind.name: kind for kind in _KINDS}
