"""Which parts are reviewed, from the parameters of an address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import get_args

from edge.archive.query import Query
from edge.archive.review_queue import Wanted, Why
from edge.web.history.query_words import Words, address, query_of
from edge.web.texts import mark

PATH = "/review"
NAMES = ("product", "version", "station")
SINCE = "1d"
PERIODS = {
    "8h": mark("the last 8 hours"),
    "1d": mark("the last 24 hours"),
    "7d": mark("the last 7 days"),
    "30d": mark("the last 30 days"),
    "365d": mark("the last year"),
}
REASONS: dict[Why, str] = {
    "near": mark("near the threshold"),
    "ng": mark("NG without a label"),
    "sample": mark("a sample of OK parts"),
}
ONE_IN = (2, 10, 50, 200)


@dataclass(frozen=True)
class Choice:
    """A question's words, the reasons, the sample's rate; whether it is a second review.

    Times that name no zone are of `zone`, or of this machine's where it is None.
    """

    words: Words
    reasons: tuple[Why, ...] = tuple(REASONS)
    ok_one_in: int = 10
    is_second: bool = False
    zone: tzinfo | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str], zone: tzinfo | None = None) -> "Choice":
        """That of an address; what it does not say, or says wrongly, is as usual."""
        words = {name: text for name in NAMES if (text := parameters.get(name))}
        words["since"] = parameters.get("since") or SINCE
        given = parameters.get("take", "").split(",")
        reasons = tuple(why for why in get_args(Why) if why in given and why in REASONS)
        rate = parameters.get("one_in", "")
        return cls(
            words,
            reasons or tuple(REASONS),
            int(rate) if rate.isdecimal() and 0 < int(rate) <= 10_000 else 10,
            parameters.get("mode") == "second",
            zone,
        )

    @property
    def query(self) -> Query:
        """The question to the archive. Raises ArchiveError."""
        return query_of(self.words, self.zone)

    @property
    def wanted(self) -> Wanted:
        """What the queue has. Raises ArchiveError."""
        return Wanted(self.query, self.reasons, self.ok_one_in)

    def address(self, path: str = PATH) -> str:
        """Where this choice is shown."""
        return address(
            path,
            self.words,
            take=",".join(self.reasons) if self.reasons != tuple(REASONS) else None,
            one_in=str(self.ok_one_in) if self.ok_one_in != 10 else None,
            mode="second" if self.is_second else None,
        )
