"""How far people agree about the same parts: percent, and Cohen's kappa."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

from edge.archive.labels import Given
from edge.archive.opinions import Opinions


@dataclass(frozen=True)
class Agreement:
    """Two people's labels of the parts that both have labelled; kinds of defects do not matter.

    `kappa` is None where both gave one and the same label to all parts: then it is not defined.
    """

    first: str
    second: str
    parts: int
    agreed: int
    kappa: float | None


def agreements(found: Opinions) -> list[Agreement]:
    """One for each pair of people, most parts first."""
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for given in found.values():
        for first, second in combinations(sorted(given), 2):
            pairs[first, second].append((given[first].label, given[second].label))
    made = [_agreement(*names, labels) for names, labels in pairs.items()]
    return sorted(made, key=lambda one: (-one.parts, one.first, one.second))


def _agreement(first: str, second: str, labels: list[tuple[str, str]]) -> Agreement:
    agreed = sum(a == b for a, b in labels)
    return Agreement(first, second, len(labels), agreed, _kappa(labels))


def _kappa(labels: list[tuple[str, str]]) -> float | None:
    if len({label for pair in labels for label in pair}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # takes a second: only for those who look

    first, second = zip(*labels, strict=True)
    return float(cohen_kappa_score(first, second))


def disagreements(found: Opinions) -> list[tuple[str, dict[str, Given]]]:
    """Parts, by key, of which people said different things; a kind of defect matters here."""
    return [
        (key, given)
        for key, given in found.items()
        if len({(one.label, one.kind) for one in given.values()}) > 1
    ]
