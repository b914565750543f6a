"""What can be wrong with an archive."""

from edge.base.errors import DraemError


class ArchiveError(DraemError):
    """The archive's database or its pictures cannot be used, or a question has no sense."""


class PictureLost(ArchiveError):
    """The store lacks a picture that a row names, or has other bytes in its place."""


class ArchiveDataError(ArchiveError):
    """A value that the database does not take: another try would fail too."""
