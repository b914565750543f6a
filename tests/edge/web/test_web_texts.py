"""Every text of the page has a translation, with the same values in it."""

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from edge.web.texts import LANGUAGES, LOCALE

WEB = LOCALE.parent
KEYWORDS = {"say": None, "say_count": (1, 2), "mark": None}
VALUES = re.compile(r"\{\w+\}")


@cache
def used_texts() -> set[str]:
    """All texts in the code: arguments of say() and say_count(), and of mark()."""
    methods = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
    found = extract_from_dir(str(WEB), methods, keywords=KEYWORDS)
    texts: set[str] = set()
    for _, _, message, _, _ in found:
        texts.update([message] if isinstance(message, str) else message)
    return texts


def both_forms(text: object) -> list[str]:
    """A text alone, or that for one and that for many."""
    return [str(form) for form in text] if isinstance(text, (list, tuple)) else [str(text)]


def translated(language: str) -> dict[str, str]:
    """Texts and their translations in all files of a language."""
    made: dict[str, str] = {}
    for path in sorted((LOCALE / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, language):
                texts, translations = both_forms(message.id), both_forms(message.string)
                made.update(zip(texts, translations, strict=True))
    return made


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_web_every_text_is_translated(language: str) -> None:
    known = translated(language)
    assert sorted(text for text in used_texts() if not known.get(text)) == []
    assert sorted(text for text in known if text and text not in used_texts()) == [], "unused"
    for text, translation in known.items():
        assert set(VALUES.findall(text)) == set(VALUES.findall(translation)), text


def test_web_no_text_is_translated_twice() -> None:
    for folder in (f for f in LOCALE.iterdir() if f.is_dir()):
        found: dict[str, Path] = {}
        for path in sorted(folder.glob("*.po")):
            with path.open("rb") as file:
                for message in read_po(file):
                    if message.id:
                        key = str(message.id)
                        assert key not in found, f"{key} in {path.name} and {found[key].name}"
                        found[key] = path
