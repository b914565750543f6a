"""What codes, labels and states of pictures mean, in words with a translation."""

from edge.events.codes import CODE_NAMES
from edge.web.codes import cause
from edge.web.texts import Texts, mark

LABELS = {
    "defect": mark("defect"),
    "false-reject": mark("false reject"),
    "missed": mark("missed"),
    "good": mark("good"),
    "unsure": mark("unsure"),
    "withdrawn": mark("withdrawn"),
}
NO_PICTURE = {
    "none": mark("No picture: the station keeps none of this part."),
    "awaited": mark("No picture yet: the archive has still to fetch it from the station."),
    "kept": mark("The picture is in the archive."),
    "missing": mark("No picture: the station had deleted it before the archive asked for it."),
    "trimmed": mark("No picture: the archive has deleted it, because it was too old."),
}


def code_text(texts: Texts, name: str) -> str:
    """A code's name and what it means; a newer station's code has only a number."""
    if name == "none":
        return ""
    meaning = cause(texts, name)
    return name if meaning == name else f"{name}: {meaning}"


def code_choices(texts: Texts) -> dict[str, str]:
    """All codes by name, for a list."""
    return {
        name: f"{number} {code_text(texts, name)}" for number, name in CODE_NAMES.items() if number
    }


def label_text(texts: Texts, label: str | None, kind: str | None = None) -> str:
    """A label in the reader's language, with the kind of a defect."""
    word = texts.say(LABELS.get(label, label)) if label else ""
    return f"{word}: {kind}" if kind else word
