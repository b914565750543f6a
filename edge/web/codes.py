"""The codes of events in words for people: what is wrong, and how to fix it."""

from edge.events.codes import Code
from edge.web.texts import Texts, mark

CAUSES = {
    Code.OVERRUN: mark("came too fast"),
    Code.FRAME_TIMEOUT: mark("no picture in time"),
    Code.FRAME_UNREADABLE: mark("damaged picture"),
    Code.WRONG_FORMAT: mark("picture of a wrong size"),
    Code.CAMERA: mark("the camera failed"),
    Code.STOPPED: mark("the line was stopped"),
    Code.OUTAGE: mark("the program was down"),
    Code.TRIGGER_LOST: mark("no picture for the trigger"),
    Code.PAUSED: mark("the line is paused"),
    Code.CAMERA_LOST: mark("the camera does not answer"),
    Code.CAMERA_SILENT: mark("the camera sends no pictures"),
    Code.STALE: mark("the same picture again"),
    Code.INCOMPLETE: mark("incomplete picture"),
    Code.FORMAT_CHANGED: mark("the camera's format changed"),
    Code.CAMERA_BACK: mark("the camera is back"),
    Code.CAMERA_SETTINGS: mark("the camera refuses a setting"),
    Code.CAMERA_HUNG: mark("the camera's driver hangs"),
    Code.UNTIED: mark("picture without a trigger"),
    Code.VIEW_MISSING: mark("a view of this part is missing"),
    Code.VIEW_NO_VERDICT: mark("a view has no verdict"),
    Code.VIEW_LATE: mark("a view came too late"),
    Code.VIEW_TWICE: mark("a view sent this part twice"),
    Code.VIEWS_DIFFER: mark("the views judge different products or parts"),
    Code.VIEW_LOST: mark("a view does not answer"),
    Code.VIEW_FAULT: mark("a view gives no verdicts"),
    Code.VIEW_BACK: mark("the view is back"),
    Code.VIEW_WITHOUT_ID: mark("a view's parts have no id"),
    Code.VIEW_TOO_OLD: mark("parts of an outage are too old"),
    Code.BRIGHTNESS: mark("too dark or too bright"),
    Code.CONTRAST: mark("wrong contrast"),
    Code.SHARPNESS: mark("wrong sharpness"),
    Code.NOT_ALIGNED: mark("the part was not found"),
    Code.CAMERA_MOVED: mark("the parts lie elsewhere"),
    Code.LIGHT_CHANGED: mark("the light has changed"),
    Code.LENS_DIRTY: mark("lens dirty or out of focus"),
    Code.SCORES_SHIFTED: mark("the scores have shifted"),
    Code.NOT_FINITE: mark("the network gives no number"),
    Code.ENGINE: mark("the engine failed"),
    Code.UNCALIBRATED: mark("the product is not calibrated"),
    Code.INTERNAL: mark("the program failed"),
    Code.UNLOGGED: mark("the log cannot be written"),
    Code.CURSOR_DROPPED: mark("a bridge was not running for too long"),
}
FIXES = {
    Code.OVERRUN: mark("Slow the line down, or train a smaller network."),
    Code.FRAME_TIMEOUT: mark("Check the camera and its cable."),
    Code.FRAME_UNREADABLE: mark("Check cable and disk."),
    Code.WRONG_FORMAT: mark("Check the camera's settings."),
    Code.CAMERA: mark("See the station's log, then start the line again."),
    Code.STOPPED: mark("Judge this part again."),
    Code.OUTAGE: mark("Reject this part."),
    Code.TRIGGER_LOST: mark("Check camera, light barrier and rate."),
    Code.PAUSED: mark("Resume the line."),
    Code.CAMERA_LOST: mark("Check its cable, power and address; it reconnects by itself."),
    Code.CAMERA_SILENT: mark("Check trigger and rate, and that no other program has set it."),
    Code.STALE: mark("Check the camera's driver or encoder: it repeats a picture."),
    Code.INCOMPLETE: mark("Check cable, switch and packet size."),
    Code.FORMAT_CHANGED: mark("Set the camera back, or start the line again."),
    Code.CAMERA_SETTINGS: mark("Correct the camera's address in the station's settings."),
    Code.CAMERA_HUNG: mark("If it stays so, restart the station."),
    Code.UNTIED: mark("No other program may trigger this camera."),
    Code.VIEW_MISSING: mark("Reject this part; check trigger and camera of that view."),
    Code.VIEW_NO_VERDICT: mark("Reject this part; see why that view has no verdict."),
    Code.VIEW_LATE: mark("Make the deadline of the joined verdict longer, or that view faster."),
    Code.VIEW_TWICE: mark("Check that each part has an id of its own."),
    Code.VIEWS_DIFFER: mark("Change all views to the same product; check their triggers."),
    Code.VIEW_LOST: mark("Start that station; check its network."),
    Code.VIEW_FAULT: mark("See that station's page."),
    Code.VIEW_WITHOUT_ID: mark("Let its trigger or scanner give ids, or join by the other id."),
    Code.VIEW_TOO_OLD: mark("Reject the parts that were on the line then."),
    Code.BRIGHTNESS: mark("Check lamp and exposure, and that a part is in view."),
    Code.CONTRAST: mark("Check lens and lamp, and that a part is in view."),
    Code.SHARPNESS: mark("Check focus, dirt on the lens, and motion."),
    Code.NOT_ALIGNED: mark("Check that the right part is in view, whole, and not turned too far."),
    Code.CAMERA_MOVED: mark("Check the camera and the fixture."),
    Code.LIGHT_CHANGED: mark("Check lamp and exposure."),
    Code.LENS_DIRTY: mark("Clean and focus the lens."),
    Code.SCORES_SHIFTED: mark("Check part and process."),
    Code.NOT_FINITE: mark("Build the engine again."),
    Code.ENGINE: mark("See the station's log, and build the engine again."),
    Code.UNCALIBRATED: mark("Calibrate the product."),
    Code.INTERNAL: mark("See the station's log, and report it."),
    Code.UNLOGGED: mark("Free space on the station's disk."),
    Code.CURSOR_DROPPED: mark("Start the bridge, or leave it dropped."),
}


def cause(texts: Texts, name: str) -> str:
    """What a code means, by its name; the name itself if this program does not know it."""
    return texts.say(CAUSES[code]) if (code := _code(name)) in CAUSES else name


def fix(texts: Texts, name: str) -> str:
    """How to fix it; empty where there is nothing to do."""
    return texts.say(FIXES[code]) if (code := _code(name)) in FIXES else ""


def _code(name: str) -> Code:
    return Code.__members__.get(name.upper(), Code.NONE)
