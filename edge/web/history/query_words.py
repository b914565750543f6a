"""A question to the archive in an address: the words of `draem archive find` as its parameters."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from edge.archive.query import Query, parse_query

Words = dict[str, str]
AFTER, BEFORE = "after", "before"
"""Parameters of the place in the list; they are no part of the question."""


def words_in(parameters: Mapping[str, str]) -> Words:
    """The words of a question among an address's parameters."""
    return {name: value for name in Query.model_fields if (value := parameters.get(name))}


def query_of(words: Mapping[str, str]) -> Query:
    """The question of words. Raises ArchiveError that names the word to correct."""
    return parse_query(f"{name}={value}" for name, value in words.items())


def fixed(words: Words) -> Words:
    """The same words with times as dates: tomorrow the address means the same parts."""
    query = query_of(words)
    return words | {
        name: written(moment)
        for name in ("since", "until")
        if (moment := getattr(query, name)) is not None
    }


def written(moment: datetime) -> str:
    """A time as an input field has it: local, to the minute, or to the second where it matters."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"


def address(path: str, words: Mapping[str, str], **more: str | None) -> str:
    """A path with words and other parameters."""
    given = {**words, **{name: value for name, value in more.items() if value}}
    return f"{path}?{urlencode(given)}" if given else path
