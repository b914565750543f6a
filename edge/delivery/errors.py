"""What can be wrong with a delivery."""

from edge.base.errors import DraemError


class DeliveryError(DraemError):
    """A delivery cannot begin or go on until somebody changes something."""


class TargetError(DeliveryError):
    """The file server does not take a file now; another try may succeed."""


class TargetRefused(DeliveryError):
    """The file server is another one, or refuses this user: trying again makes it worse."""


class NameTaken(Exception):
    """There is another file of this name."""


class Stopped(Exception):
    """The process is to end, in the middle of a file."""
