"""What the name of a folder says about the images in it, in any letter case and some languages."""

import re
from enum import Enum, auto

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
    "perfect pristine clean healthy undamaged conform conforming conforme gut gute gutteil "
    "gutteile fehlerfrei falsereject falserejects falsealarm falsealarms bueno buono "
    "良品 合格 正常"
)
_BAD = _words(
    "bad ng nok ko notok abnormal anomaly anomalies anomalous fail failed failure failures defect "
    "defects defective defekt defekte def fault faults faulty reject rejects rejected scrap flaw "
    "flaws flawed damage damaged broken dirty missed nonconform nonconforming nonconforme invalid "
    "schlecht schlechte schlechtteil schlechtteile fehler fehlerhaft ausschuss mauvais difettoso "
    "scarto 不良 不良品 不合格 异常 異常"
)
_GOOD_ALONE, _BAD_ALONE = _words("io bon"), _words("nio malo")
"""Short words that mean something else inside other names, as in `io_board`."""
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


def meaning_alone(name: str) -> Meaning | None:
    """`meaning` of a name in which no word is about anything else, as in `NG` or `bad_parts2`."""
    found, words = meaning(name), set(_split(name))
    known = _NEUTRAL | _NEGATION | (_GOOD | _GOOD_ALONE | _BAD | _BAD_ALONE | _MASK | _UNCERTAIN)
    if found in _HALVES or words <= known or "".join(_split(name)) in known:
        return found
    return None


def _split(name: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(name)]


def meaning(name: str) -> Meaning | None:
    """What a folder's name says; None for one that says nothing, such as `line1` or `scratch`."""
    words = _split(name)
    known = {*words, "".join(words)}
    for half, names in _HALVES.items():
        if words and words[0] in names and set(words[1:]) <= _OF_HALVES:
            return half
    if known & _MASK or {"ground", "truth"} <= known:
        return Meaning.MASK
    whole = "".join(words)
    if whole in _GOOD | _GOOD_ALONE:
        return Meaning.GOOD
    if whole in _BAD | _BAD_ALONE:
        return Meaning.BAD
    good, bad, negated = known & _GOOD, known & _BAD, known & _NEGATION
    if "free" in good:
        return Meaning.GOOD  # 'defect_free', 'MT_Free'
    if known & _UNCERTAIN or (good and bad):
        return Meaning.UNCERTAIN
    if good or bad:
        return Meaning.GOOD if bool(good) != bool(negated) else Meaning.BAD
    return None
