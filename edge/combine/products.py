"""Which products the views must judge together, and what that is called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

DIFFERENT = "0"  # the version where those of the views differ: a PLC reads it as a number


@dataclass(frozen=True)
class Products:
    """`table` has the product of each view for each name of a part; empty: all views have one."""

    table: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def name(self, found: Mapping[str, str]) -> str | None:
        """The part's product where the views (name: product) fit together, else None."""
        if not self.table:
            names = set(found.values())
            return names.pop() if len(names) == 1 else None
        fitting = [n for n, parts in self.table.items() if found.items() <= parts.items()]
        return fitting[0] if len(fitting) == 1 else None

    def label(self, found: Mapping[str, str]) -> str:
        """The part's product, or all that the views judge, joined by +."""
        return self.name(found) or "+".join(dict.fromkeys(filter(None, found.values())))


def common_version(versions: Iterable[str]) -> str:
    """The version of all views, DIFFERENT where there is none."""
    found = set(versions)
    return found.pop() if len(found) == 1 else DIFFERENT
