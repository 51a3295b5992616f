"""The texts of messages, from templates: the user's where there are any, and the shipped ones whenever those fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from receiver.domain.notification import Notification
from receiver.errors import RenderFailed
from receiver.logs import event_logger
from receiver.notifiers.template_check import mistakes_of
from receiver.notifiers.template_engine import Engine, paragraph_html
from receiver.notifiers.template_files import SHIPPED, Part, Source, read_folder, wording_of
from receiver.notifiers.view import view_of

_log = event_logger("notifiers")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text. `format`: `txt`, which a channel has to escape itself, or `mrkdwn` or `html`, which are finished."""

    text: str
    format: str = "txt"


class Texts:
    """All templates of one process. `mistakes`: what is wrong with the user's, `FILE:LINE: what`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._sources, self.mistakes = _read(folder)
        self._engine = Engine(self._sources)
        if folder is not None:
            self.mistakes += mistakes_of(self._engine, self._sources)

    def log_mistakes(self) -> None:
        """Tell each mistake as a line of the log; the shipped templates take the place of what cannot be used."""
        for mistake in self.mistakes:
            _log.warning("template.refused", extra={"reason": mistake})

    @property
    def wordings(self) -> frozenset[str]:
        """The names that a rule may give as `notify: {template: NAME}`."""
        return frozenset(filter(None, map(wording_of, self._sources)))

    def of(self, notification: Notification) -> Wording:
        """The texts of one message."""
        return Wording(self._engine, self._sources, notification)


class Wording:
    """The texts of one message, and `notes` on those that could not be used."""

    def __init__(self, engine: Engine, sources: Mapping[str, Source], notification: Notification) -> None:
        self._engine = engine
        self._sources = sources
        self._notification = notification
        self._view = view_of(notification)
        self.notes: list[str] = []

    def about(self, notification: Notification) -> Wording:
        """The texts for the same incident on another occasion; notes are kept together."""
        other = Wording(self._engine, self._sources, notification)
        other.notes = self.notes
        return other

    def render(self, part: Part, **instead: object) -> Rendered:
        """The text of `part`; `instead` has other values for some of the names that templates use.

        Never fails: where the user's template does, the shipped one takes its place.
        """
        view = self._view | instead
        file = self._file(part)
        if file is not None:
            try:
                return self._render(part, file, view)
            except RenderFailed as failure:
                self._note(failure)
        return self._render(part, SHIPPED + part.files[-1], view)

    def receipt(self, detail: str) -> str:
        """`detail`, with the notes after it."""
        return "; ".join([detail, *self.notes])

    def _file(self, part: Part) -> str | None:
        """The user's file for the part, None where there is none."""
        name = self._notification.wording
        files = [f"{name}.{file}" for file in part.files] if name else []
        files += [f"{name}.txt"] if name and part.is_body else []
        found = next((file for file in (*files, *part.files) if file in self._sources), None)
        if name and found is None and name not in set(map(wording_of, self._sources)):
            self._note(RenderFailed(f"there is no template {name}"))
        return found

    def _render(self, part: Part, file: str, view: Mapping[str, object]) -> Rendered:
        text = self._engine.render(file, view)
        if not text.strip() and not part.may_be_empty:
            raise RenderFailed(f"{file}: it gives no text for {view['occasion']}")
        format_ = file.rpartition(".")[2]
        if "html" in part.formats and format_ != "html":
            return Rendered(paragraph_html(text), "html")
        return Rendered(text, format_)

    def _note(self, failure: RenderFailed) -> None:
        note = f"the usual text was sent, because of a template: {failure}"
        if note in self.notes:
            return
        self.notes.append(note)
        incident = {"incident_id": self._notification.incident_id, "reason": str(failure)}
        _log.warning("template.failed", extra=incident)


def wordings(folder: Path | None) -> frozenset[str]:
    """The names that a rule may give as `notify: {template: NAME}`, with this folder of templates."""
    sources, _ = _read(folder)
    return frozenset(filter(None, map(wording_of, sources)))


def _read(folder: Path | None) -> tuple[dict[str, Source], list[str]]:
    return ({}, []) if folder is None else read_folder(folder)


SHIPPED_TEXTS = Texts()


def shipped_wording(notification: Notification) -> Wording:
    """The texts of a message from the shipped templates only."""
    return SHIPPED_TEXTS.of(replace(notification, wording=""))
