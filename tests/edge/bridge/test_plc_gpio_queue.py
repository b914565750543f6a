"""When the gate of `draem bridge gpio` is open, against a model that looks at each position."""

from hypothesis import given
from hypothesis import strategies as st

from edge.bridge.pass_queue import LONGEST_QUEUE, PassQueue, Way

DELAY, PULSE = 100, 10
PARTS = st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=12)
"""Distance from the part before, and whether it is OK."""


def queue(shortest: int = PULSE, longest_s: float = float("inf")) -> PassQueue:
    return PassQueue(Way(DELAY, PULSE, shortest, longest_s))


@given(parts=PARTS, shortest=st.integers(1, PULSE), ahead=st.integers(0, DELAY))
def test_the_gpio_gate_is_open_for_good_parts_and_never_for_a_bad_one(
    parts: list[tuple[int, bool]], shortest: int, ahead: int
) -> None:
    made, at, placed = queue(shortest), 0, list[tuple[int, bool]]()
    for distance, ok in parts:
        at += distance
        placed.append((at, ok))
    bad = {p for at, ok in placed if not ok for p in range(at + DELAY, at + DELAY + PULSE)}
    due = set[int]()
    for at, ok in placed:
        free = [p for p in range(at + DELAY, at + DELAY + PULSE) if p not in bad]
        due |= set(free) if ok and len(free) >= shortest else set()
    waiting = iter([*placed, (10**9, False)])
    following = next(waiting)
    for position in range(at + DELAY + PULSE + 1):
        while following[0] + ahead <= position:  # a verdict takes a while, and is in time
            made.add(following[0], ok=following[1])
            following = next(waiting)
        found = made.is_open(position, 0)
        assert not (found and position in bad), position
        # A neighbour that is known later than the pulse has begun can only end it.
        assert ahead > DELAY - PULSE or found == (position in due), position
    assert len(made) == 0


def test_the_gpio_gate_closes_at_once_for_a_bad_part_that_is_known_late() -> None:
    made = queue(shortest=1)
    made.add(0, ok=True)
    assert made.is_open(DELAY + 3, 0)
    made.add(4, ok=False)
    assert made.is_open(DELAY + 3, 0)
    assert not made.is_open(DELAY + 4, 0)


def test_a_gpio_pulse_ends_though_the_encoder_stands_still() -> None:
    made = queue(longest_s=0.5)
    made.add(0, ok=True)
    assert made.is_open(DELAY, 10.0)
    assert made.is_open(DELAY + 1, 10.49)
    assert not made.is_open(DELAY + 1, 10.5)
    assert not made.is_open(DELAY + 2, 10.6), "not again for this part"
    made.add(PULSE, ok=True)
    assert made.is_open(DELAY + PULSE, 10.7), "but for the next one"


def test_a_gpio_pulse_that_is_noticed_too_late_is_left_out() -> None:
    for late, is_open in ((6, True), (7, False)):
        made = queue(shortest=4)
        made.add(0, ok=True)
        assert not made.is_open(DELAY - 1, 0)
        assert made.is_open(DELAY + late, 0) is is_open
        assert made.is_open(DELAY + PULSE - 1, 0) is is_open


def test_too_many_parts_on_their_way_are_all_rejected_by_gpio() -> None:
    made = queue()
    for at in range(LONGEST_QUEUE):
        assert made.add(20 * at, ok=True)
    assert not made.add(20 * LONGEST_QUEUE, ok=True)
    assert not made.is_open(DELAY, 0)
    assert made.until_change(0) == float("inf")
