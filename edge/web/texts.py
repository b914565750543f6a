"""Translations, numbers and dates in the reader's language.

A text is written in English where it is used, as `texts.say("{count} parts", count=3)`; its
translations are in locale/LANGUAGE/*.po (gettext), one file for each part of the page. A text
without a translation is shown in English.
"""

import gettext
import io
from collections.abc import Mapping
from datetime import date as Day
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path

from babel import dates, numbers
from babel.core import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"
LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch"}
LOCALES: Mapping[str, str] = {"en": "en_GB", "de": "de_DE"}  # day before month, 24 hours


def mark(text: str) -> str:
    """A text that is not shown here, but where somebody says it; so its translation is kept."""
    return text


class Texts:
    """Texts, numbers and dates in one language; times in the plant's zone, or this machine's."""

    def __init__(self, language: str, zone: tzinfo | None = None) -> None:
        self._zone = zone
        self.language = language if language in LANGUAGES else "en"
        self._locale = Locale.parse(LOCALES[self.language])
        self._translations = _catalogue(self.language)

    def say(self, text: str, /, **values: object) -> str:
        """A text with its values in place."""
        return self._translations.gettext(text).format(**values)

    def say_count(self, one: str, many: str, count: int, /, **values: object) -> str:
        """A text for one or for many; both have {count}."""
        text = self._translations.ngettext(one, many, count)
        return text.format(count=self.number(count), **values)

    def number(self, value: float, digits: int = 0) -> str:
        """A number with separators, and so many digits after the point."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return str(numbers.format_decimal(value, pattern, self._locale))

    def percent(self, rate: float | None, digits: int = 1) -> str:
        """A rate of 0 to 1 as percent; a dash where there is none."""
        if rate is None:
            return "-"
        return str(numbers.format_percent(rate, "#,##0." + "0" * digits + " %", self._locale))

    def moment(self, at: datetime, *, seconds: bool = True) -> str:
        """Date and time."""
        local = at.astimezone(self._zone)
        time = dates.format_time(local, "HH:mm:ss" if seconds else "HH:mm", locale=self._locale)
        return f"{self.date(local)} {time}"

    def date(self, at: datetime) -> str:
        """The date of a moment."""
        return self.day(at.astimezone(self._zone).date())

    def day(self, day: Day) -> str:
        """A date."""
        return str(dates.format_date(day, "medium", self._locale))

    def time(self, at: datetime) -> str:
        """A time of day."""
        return str(dates.format_time(at.astimezone(self._zone), "HH:mm:ss", locale=self._locale))


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """All files of a language as one; the first of them answers, then the others."""
    found = gettext.NullTranslations()
    for path in sorted((LOCALE / language).glob("*.po")):
        compiled = io.BytesIO()
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, language))
        compiled.seek(0)
        translations = gettext.GNUTranslations(compiled)
        translations.add_fallback(found)
        found = translations
    return found
