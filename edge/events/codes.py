"""The codes of events and heartbeats. docs/events.md says what to do for each."""

from enum import IntEnum


class Code(IntEnum):
    """Why there is no verdict, or what is wrong. Numbers never change their meaning."""

    NONE = 0
    OVERRUN = 101  # a trigger came while another frame still waited
    FRAME_TIMEOUT = 102  # no frame within the camera's deadline
    FRAME_UNREADABLE = 103  # the frame cannot be decoded
    WRONG_FORMAT = 104  # the frame does not fit the product
    CAMERA = 105  # the camera failed, and the line ends
    STOPPED = 106  # the line was stopped before this frame was judged
    OUTAGE = 107  # the program was down when this trigger came
    TRIGGER_LOST = 108  # no frame came for this trigger
    PAUSED = 109  # the line was paused over the control socket
    CAMERA_LOST = 110  # the camera does not answer, or its connection has ended
    CAMERA_SILENT = 111  # the camera answers, but sends no frames
    STALE = 112  # the frame has the same bytes as the one before
    INCOMPLETE = 113  # packets of this frame are missing
    FORMAT_CHANGED = 114  # another size or colour than the frames before
    CAMERA_BACK = 115  # the end of an outage: frames come again
    CAMERA_SETTINGS = 116  # the camera refuses a setting, or keeps another value
    CAMERA_HUNG = 117  # a read of the camera did not return: its driver hangs
    UNTIED = 118  # a frame came without a trigger
    VIEW_MISSING = 131  # 131 to 135: of a part that several cameras see, as draem combine joins it
    VIEW_NO_VERDICT = 132  # a view has no verdict
    VIEW_LATE = 133  # all views have come, but not before the part's deadline
    VIEW_TWICE = 134  # a view has sent the part's id twice
    VIEWS_DIFFER = 135  # the views judge different products, or have read different part ids
    VIEW_LOST = 136  # a fault: a view sends no heartbeats
    VIEW_FAULT = 137  # a fault: a view gives no verdicts, and says why
    VIEW_BACK = 138  # the end of the two
    VIEW_WITHOUT_ID = 139  # a fault: a view's parts have no id to join them by
    VIEW_TOO_OLD = 140  # a fault: parts of an outage that are too old to be accounted for
    BRIGHTNESS = 201  # outside the calibrated range: lamp, exposure, no part
    CONTRAST = 202  # outside the calibrated range: lens covered, no part
    SHARPNESS = 203  # outside the calibrated range: focus, smear, motion
    NOT_ALIGNED = 204  # the part is not found, or turned or shifted too far: another or no part
    CAMERA_MOVED = 211  # 211 to 214, drift of many parts in a row: a fault event, verdicts go on
    LIGHT_CHANGED = 212
    LENS_DIRTY = 213
    SCORES_SHIFTED = 214
    NOT_FINITE = 301  # the network gave a NaN or an infinity
    ENGINE = 302  # the engine failed
    UNCALIBRATED = 303  # the product has no threshold yet
    INTERNAL = 401  # the program failed: its log has the reason
    UNLOGGED = 501  # the log could not be written when this part passed: disk full or failing
    CURSOR_DROPPED = 502  # events that a bridge has not acknowledged may be trimmed


CODE_NAMES = {int(code): code.name.lower() for code in Code}


def code_name(number: int) -> str:
    """The name of a code; of one that a newer program has added, its number."""
    return CODE_NAMES.get(number, str(number))
