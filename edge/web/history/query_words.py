"""A question to the archive in an address: the words of `draem archive find` as its parameters."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, tzinfo
from urllib.parse import urlencode

from edge.archive.query import Query, parse_query, parse_time

Words = dict[str, str]
AFTER, BEFORE = "after", "before"
"""Parameters of the place in the list; they are no part of the question."""
TIMES = ("since", "until")


def words_in(parameters: Mapping[str, str]) -> Words:
    """The words of a question among an address's parameters."""
    return {name: value for name in Query.model_fields if (value := parameters.get(name))}


def query_of(words: Mapping[str, str], zone: tzinfo | None) -> Query:
    """The question of words, with times of the plant's zone, or this machine's where it is None.

    Raises ArchiveError that names the word to correct.
    """
    times: Words = {}
    for name in TIMES:
        with suppress(KeyError, ValueError):  # parse_query names what is wrong
            times[name] = parse_time(words[name], zone).isoformat()
    return parse_query(f"{name}={value}" for name, value in {**words, **times}.items())


def fixed(words: Words, zone: tzinfo | None) -> Words:
    """The same words with times as dates: tomorrow the address means the same parts."""
    query = query_of(words, zone)
    return words | {
        name: written(moment, zone)
        for name in TIMES
        if (moment := getattr(query, name)) is not None
    }


def written(moment: datetime, zone: tzinfo | None) -> str:
    """A time as an input field has it, in a zone: to the minute, or second where it matters."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"


def address(path: str, words: Mapping[str, str], **more: str | None) -> str:
    """A path with words and other parameters."""
    given = {**words, **{name: value for name, value in more.items() if value}}
    return f"{path}?{urlencode(given)}" if given else path
