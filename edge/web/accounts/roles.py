"""Roles of accounts; each may do what the ones before it may."""

from enum import IntEnum

from edge.base.errors import DraemError
from edge.web.texts import mark


class Role(IntEnum):
    """What an account may do."""

    VIEWER = 1  # look at everything but accounts
    OPERATOR = 2  # label parts; pause, resume, change the product
    ENGINEER = 3  # make products: train, calibrate, release
    ADMINISTRATOR = 4  # accounts, tokens, webhooks

    @property
    def word(self) -> str:
        """As it is written on the command line and in the database."""
        return WORDS[self]

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of a word. Raises KeyError."""
        return {word: role for role, word in WORDS.items()}[word]


WORDS = {
    Role.VIEWER: mark("viewer"),
    Role.OPERATOR: mark("operator"),
    Role.ENGINEER: mark("engineer"),
    Role.ADMINISTRATOR: mark("administrator"),
}


class NotAllowed(DraemError):
    """The account has not the role that this needs, or its session has ended."""
