"""Every code of an event has words for people."""

from edge.events.codes import Code
from edge.web.codes import CAUSES, FIXES

NOTHING_TO_FIX = {Code.NONE, Code.CAMERA_BACK, Code.VIEW_BACK}


def test_web_every_code_is_explained_and_says_how_to_fix_it() -> None:
    assert set(Code) - set(CAUSES) == {Code.NONE}
    assert set(Code) - set(FIXES) == NOTHING_TO_FIX
