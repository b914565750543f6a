"""Name templates: the path of a picture below the target, from the fields of its event."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from edge.base.errors import SettingsError
from edge.delivery.safe_names import is_forbidden, safe_component, safe_value
from edge.events.event import Inspection

EXTENSION = ".png"
DEFAULT = "{date}/{product}/{part_id}_{verdict}.png"


def _captured(inspection: Inspection, form: str) -> str:
    """The time of capture in this machine's zone; empty where the event has none that exists."""
    try:
        return datetime.fromisoformat(inspection.captured_at).astimezone().strftime(form)
    except (ValueError, OverflowError):
        return ""


FIELDS: dict[str, Callable[[Inspection], object]] = {
    "date": lambda of: _captured(of, "%Y-%m-%d"),
    "time": lambda of: _captured(of, "%H-%M-%S-%f")[:-3],  # to the millisecond
    "station": lambda of: of.station,
    "product": lambda of: of.product,
    "version": lambda of: of.version,
    "part_id": lambda of: of.part_id,
    "trigger_id": lambda of: of.trigger_id,
    "inspection": lambda of: of.inspection_id,
    "verdict": lambda of: of.verdict,
    "code": lambda of: of.code.name,
}
OF_A_PART = ("part_id", "trigger_id", "inspection", "time")
"""Fields that differ from part to part: a template has one of them at least."""


@dataclass(frozen=True)
class NameTemplate:
    """Literal texts and the fields that follow them."""

    tokens: tuple[tuple[str, str | None], ...]

    def stem(self, inspection: Inspection) -> str:
        """The path of a picture below the target without its extension."""
        return self._path(lambda field: safe_value(FIELDS[field](inspection)))

    def _path(self, value: Callable[[str], str]) -> str:
        text = "".join(literal + (value(field) if field else "") for literal, field in self.tokens)
        return "/".join(safe_component(part) for part in text.removesuffix(EXTENSION).split("/"))


def parse_template(text: str) -> NameTemplate:
    """A template such as {date}/{part_id}_{verdict}.png. Raises SettingsError."""
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise _refused(text, f"{error}: write fields as {{part_id}}") from None
    for _, field, form, conversion in parsed:
        if field is not None and (field not in FIELDS or form or conversion):
            raise _refused(
                text, f"'{{{field}}}' with what follows it is no field: choose from {_known()}"
            )
    template = NameTemplate(tuple((literal, field) for literal, field, _, _ in parsed))
    if not parsed or parsed[-1][1] is not None or not parsed[-1][0].endswith(EXTENSION):
        raise _refused(text, f"pictures are PNG files: let it end with {EXTENSION}")
    if not any(field in OF_A_PART for _, field in template.tokens):
        raise _refused(text, f"all parts would have one name: add one of {_known(OF_A_PART)}")
    _check_literals(text, template)
    return template


def _check_literals(text: str, template: NameTemplate) -> None:
    """Raise SettingsError where a name could not be as the template says."""
    literals = "".join(literal for literal, _ in template.tokens)
    wrong = next((char for char in literals.replace("/", "") if is_forbidden(char)), None)
    if wrong:
        raise _refused(text, f"no name may contain {wrong!r}: leave it out")
    sample = "".join(literal + ("x" if field else "") for literal, field in template.tokens)
    if template._path(lambda field: "x") + EXTENSION != sample:
        raise _refused(
            text,
            "it is a path below the target: no empty, hidden or very long names, no '..', nor "
            "names that begin or end with a blank or are Windows' own",
        )


def _known(fields: tuple[str, ...] = tuple(FIELDS)) -> str:
    return ", ".join(f"{{{field}}}" for field in fields)


def _refused(text: str, why: str) -> SettingsError:
    return SettingsError(f"the name template {text!r} cannot be used, {why}")
