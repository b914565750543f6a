"""What codes, labels and states of pictures mean, in words with a translation."""

from edge.archive.search import CODE_NAMES
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
CODES = {
    "none": "",
    "overrun": mark("a trigger came while another frame still waited"),
    "frame_timeout": mark("no frame within the camera's deadline"),
    "frame_unreadable": mark("the frame cannot be decoded"),
    "wrong_format": mark("the frame does not fit the product"),
    "camera": mark("the camera failed"),
    "stopped": mark("the line was stopped before this frame was judged"),
    "outage": mark("the program was down when this trigger came"),
    "trigger_lost": mark("no frame came for this trigger"),
    "paused": mark("the line was paused"),
    "camera_lost": mark("the camera does not answer"),
    "camera_silent": mark("the camera answers, but sends no frames"),
    "stale": mark("the frame has the same bytes as the one before"),
    "incomplete": mark("packets of this frame are missing"),
    "format_changed": mark("another size or colour than the frames before"),
    "camera_back": mark("frames come again"),
    "camera_settings": mark("the camera refuses a setting, or keeps another value"),
    "camera_hung": mark("a read of the camera did not return"),
    "untied": mark("a frame came without a trigger"),
    "brightness": mark("brightness outside the calibrated range"),
    "contrast": mark("contrast outside the calibrated range"),
    "sharpness": mark("sharpness outside the calibrated range"),
    "camera_moved": mark("the camera has moved"),
    "light_changed": mark("the light has changed"),
    "lens_dirty": mark("the lens is dirty"),
    "scores_shifted": mark("the scores of good parts have shifted"),
    "not_finite": mark("the network gave no number"),
    "engine": mark("the engine failed"),
    "uncalibrated": mark("the product has no threshold yet"),
    "internal": mark("the program failed"),
    "unlogged": mark("the log could not be written when this part passed"),
    "cursor_dropped": mark("events that a bridge has not acknowledged may be deleted"),
}


def code_text(texts: Texts, name: str) -> str:
    """A code's name and what it means; a newer station's code has only a number."""
    if name == "none":
        return ""
    meaning = CODES.get(name, "")
    return f"{name}: {texts.say(meaning)}" if meaning else name


def code_choices(texts: Texts) -> dict[str, str]:
    """All codes by name, for a list."""
    return {
        name: f"{number} {code_text(texts, name)}" for number, name in CODE_NAMES.items() if number
    }


def label_text(texts: Texts, label: str | None, kind: str | None = None) -> str:
    """A label in the reader's language, with the kind of a defect."""
    word = texts.say(LABELS.get(label, label)) if label else ""
    return f"{word}: {kind}" if kind else word
