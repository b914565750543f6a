"""Every code of an event has words for people."""

from functools import partial

from edge.events.codes import Code
from edge.web.codes import CAUSES, FIXES, cause
from edge.web.history.meanings import label_text
from edge.web.history.results import note
from edge.web.statistics.sections import said
from edge.web.texts import Texts
from tests.support.found_parts import found_part

NOTHING_TO_FIX = {Code.NONE, Code.CAMERA_BACK, Code.VIEW_BACK}


def test_web_every_code_is_explained_and_says_how_to_fix_it() -> None:
    assert set(Code) - set(CAUSES) == {Code.NONE}
    assert set(Code) - set(FIXES) == NOTHING_TO_FIX


def test_web_names_of_the_archive_are_words_of_the_reader() -> None:
    german, codes = Texts("de"), [("paused", 3), ("a_newer_code", 1)]
    assert said(codes, partial(cause, german)) == [
        ("die Linie ist angehalten", 3),
        ("a_newer_code", 1),
    ]
    assert said([("false-reject", 2)], partial(label_text, german)) == [("falsch aussortiert", 2)]
    assert note(german, found_part(code="paused")) == "die Linie ist angehalten"
