"""What the name of a folder says about the images in it, in any letter case and some languages."""

import re
from enum import Enum, auto
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


class Meaning(Enum):
    """What the images in a folder of a name are."""

    GOOD = auto()
    BAD = auto()
    MASK = auto()
    UNCERTAIN = auto()  # a class, but it is not said whether of good parts
    TRAIN = auto()
    VALIDATION = auto()
    TEST = auto()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATION = _words("no not non un nicht kein keine without ohne")
_GOOD = _words(
    "good ok okay normal nominal pass passed accept accepted free flawless faultless intact golden "
    "oks acceptable nondefective perfect pristine clean healthy undamaged conform conforming "
    "conforme gut gute gutteil gutteile fehlerfrei falsereject falserejects falsealarm falsealarms "
    "bueno buenos buono buoni 良品 合格 正常"
)
_BAD = _words(
    "bad ng ngs unacceptable nok ko notok abnormal anomaly anomalies anomalous fail failed failure "
    "failures defect defects defective defekt defekte def fault faults faulty reject rejects "
    "rejected scrap flaw flaws flawed damage damaged broken dirty missed nonconform nonconforming "
    "nonconforme invalid schlecht schlechte schlechtteil schlechtteile fehler fehlerhaft ausschuss "
    "mauvais difettoso difettosi scarto scarti 不良 不良品 不合格 异常 異常"
)
_GOOD_ALONE, _BAD_ALONE = _words("io bon bons"), _words("nio malo malos")
"""Short words that mean something else inside other names, as in `io_board`."""
_GOOD_ANYWHERE = _words("good ok okay gut gute")
"""The other words for good parts may be about something else, as in `normal_light`."""
_MASK = _words(
    "mask masks label labels gt gts groundtruth groundtruths annotation annotations annot "
    "segmentation segmentations maske masken"
)
_UNCERTAIN = _words("positive positives negative negatives pos neg unknown unlabeled unlabelled")
_HALVES = {
    Meaning.TRAIN: _words("train training"),
    Meaning.VALIDATION: _words("val valid validation"),
    Meaning.TEST: _words("test testing tests"),
}
_OF_HALVES = _words("public private mixed set data images")
_NEUTRAL = _words(
    "part parts piece pieces image images picture pictures photo photos img imgs pic pics frame "
    "frames sample samples set data teile bilder"
)


_ALL = _NEUTRAL | _NEGATION | _GOOD | _GOOD_ALONE | _BAD | _BAD_ALONE | _MASK | _UNCERTAIN


def meaning_alone(name: str) -> Meaning | None:
    """`meaning` of a name in which no word is about anything else, as in `NG` or `bad_parts2`."""
    found, words = meaning(name), _split(name)
    whole = _without_noun("".join(words))
    return found if found in _HALVES or whole in _ALL or set(words) <= _ALL else None


def _split(name: str) -> list[str]:
    return [_without_noun(word.casefold()) for word in _WORD.findall(name)]


def _without_noun(word: str) -> str:
    """`ng` of `ngparts`, where no capital says where a word ends."""
    starts = (word.removesuffix(noun) for noun in _NEUTRAL)
    return next((start for start in starts if start in _GOOD | _BAD), word)


def meaning(name: str) -> Meaning | None:
    """What a folder's name says; None for one that says nothing, such as `line1` or `scratch`."""
    words = _split(name)
    whole = _without_noun("".join(words))
    for half, names in _HALVES.items():
        if words and words[0] in names and set(words[1:]) <= _OF_HALVES:
            return half
    if {whole, *words} & _MASK or {"ground", "truth"} <= set(words):
        return Meaning.MASK
    if whole in _GOOD | _GOOD_ALONE or words[-1:] == ["free"]:  # 'defect_free', 'MT_Free'
        return Meaning.GOOD
    if whole in _BAD | _BAD_ALONE:
        return Meaning.BAD
    certain = _GOOD if set(words) <= _ALL else _GOOD_ANYWHERE
    classes = {
        (word in certain) != (before in _NEGATION)
        for before, word in pairwise(["", *words])
        if word in certain | _BAD
    }
    if len(classes) > 1 or set(words) & _UNCERTAIN:
        return Meaning.UNCERTAIN
    return None if not classes else Meaning.GOOD if classes.pop() else Meaning.BAD
