"""Of bridges with one name at one broker, one may publish: from the states alone."""

import json
from itertools import permutations
from unittest.mock import patch

from edge.bridge.protocols import mqtt_name
from edge.bridge.protocols.mqtt import state_of
from edge.bridge.protocols.mqtt_name import NameClaim
from edge.bridge.signals import Signals


def test_of_two_bridges_that_claim_a_name_at_once_one_ends() -> None:
    """In whatever order each of them receives what the broker has put into one order."""
    for first, second in ((0, 1), (1, 0)):
        for order in set(permutations([0, 0, 1, 1])):
            claims = [NameClaim("a"), NameClaim("b")]
            for claim in claims:
                claim.begin(free=True)
            states = [json.dumps(state_of(Signals(), claims[i].owner)) for i in (first, second)]
            heard = [iter(states), iter(states)]
            for who in order:
                claims[who].hear(next(heard[who]).encode())
                assert not (claims[0].ours and claims[1].ours)
            assert [c.ours for c in claims] == [first == 0, first == 1]
            assert [c.other is None for c in claims] == [first == 0, first == 1]


def test_a_bridge_that_was_cut_off_listens_before_it_publishes() -> None:
    claim = NameClaim("mine")
    mine, other = (json.dumps(state_of(Signals(), name)).encode() for name in ("mine", "other"))
    claim.begin(free=True)
    claim.hear(mine)
    assert claim.ours
    claim.lose()
    assert (claim.ours, claim.may_claim) == (False, False)
    claim.begin(free=False)
    assert (claim.ours, claim.may_claim) == (False, False)
    claim.hear(json.dumps(state_of(None, "mine")).encode())  # our own will
    assert claim.may_claim
    claim.begin(free=False)
    claim.hear(other)
    assert (claim.other, claim.may_claim, claim.ours) == ("other", False, False)


def test_an_older_bridge_that_names_no_owner_is_noticed_too() -> None:
    claim = NameClaim("mine")
    claim.begin(free=True)
    claim.hear(json.dumps(state_of(Signals(), "mine")).encode())
    for _ in range(3):
        claim.hear(b'{"bridge": true, "online": true}')
    assert claim.other is None, "what was in the queue of a bridge that was cut off comes at once"
    assert claim.repeat
    with patch.object(mqtt_name, "STATE_S", 0):
        claim.hear(b'{"bridge": true, "online": true}')
    assert claim.other is not None
    for rubbish in (b"", b"[]", b"\xff", b"7", b'"x"', b"{}", b'{"bridge": 1}', 9999 * b"["):
        claim = NameClaim("mine")
        claim.begin(free=False)
        claim.hear(rubbish)
        assert claim.other is None
