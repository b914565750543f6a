"""The event of a joined part, before it is numbered and stamped."""

from edge.combine.joiner import Released, Rules
from edge.combine.part import Part
from edge.combine.products import common_version
from edge.combine.sight import Sight
from edge.events.codes import Code
from edge.events.event import CodeName, Inspection, View
from edge.events.stamps import UNSTAMPED


def joined_part(released: Released, rules: Rules, now_s: float) -> tuple[Inspection, bytes]:
    """The header of a part, and the mask of its worst view."""
    part, (verdict, code) = released
    first, worst = part.first, _worst(part)
    decided = verdict != "NO_VERDICT"
    of_worst = worst.header if decided else None
    header = Inspection(
        **UNSTAMPED,
        product=rules.products.label(part.products()),
        version=common_version(sight.header.version for sight in part.sights),
        inspection_id=1,
        frame_id=first.header.frame_id,
        trigger_id=_first_value(part, "trigger_id"),
        encoder=_first_value(part, "encoder"),
        part_id=min(part.part_ids()) if len(part.part_ids()) == 1 else None,
        verdict=verdict,
        code=CodeName.of(code),
        captured_ns=first.captured_ns,
        captured_at=first.header.captured_at,
        stages_ms=_stages_ms(part, now_s),
        score=of_worst.score if of_worst else None,
        threshold=of_worst.threshold if of_worst else None,
        roi=of_worst.roi if of_worst else None,
        passed_over=0,
        regions=of_worst.regions if of_worst else [],
        mask=of_worst.mask if of_worst else None,
        picture=False,
        alignment=of_worst.alignment if of_worst else None,
        view=worst.view if of_worst else None,
        views=_views(part, rules.views),
    )
    return header, worst.mask_png if decided else b""


def _worst(part: Part) -> Sight:
    """An NG before all others; then the view whose score is the largest part of its threshold."""

    def badness(sight: Sight) -> tuple[bool, float]:
        score, threshold = sight.header.score, sight.header.threshold
        return sight.header.verdict == "NG", score / threshold if score and threshold else 0.0

    return max(part.sights, key=badness)


def _first_value(part: Part, name: str) -> int | None:
    """A value of the first view that has one."""
    values = (getattr(sight.header, name) for sight in part.sights)
    return next((value for value in values if value is not None), None)


def _stages_ms(part: Part, now_s: float) -> dict[str, float]:
    """`wait` from the first picture until its event came, `join` until the part was decided."""
    wait = part.first_at - part.first.captured_ns / 1e9
    spans = {"wait": wait, "join": now_s - part.first_at}
    return {name: round(max(0.0, span) * 1000, 3) for name, span in spans.items()}


def _views(part: Part, names: tuple[str, ...]) -> list[View]:
    """Every event of the part, in the order of the settings; a view without one is missing."""
    found: list[View] = []
    for name in names:
        sights = [sight for sight in part.sights if sight.view == name]
        found += map(_view, sights)
        if not sights:
            found.append(View(name=name, code=CodeName.of(Code.VIEW_MISSING)))
    return found


def _view(sight: Sight) -> View:
    header = sight.header
    return View(
        name=sight.view,
        verdict=header.verdict,
        code=header.code,
        station=header.station,
        stream_id=header.stream_id,
        seq=header.seq,
        inspection_id=header.inspection_id,
        product=header.product,
        version=header.version,
        score=header.score,
        threshold=header.threshold,
    )
