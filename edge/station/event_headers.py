"""Event headers of parts, before `EventWriter` numbers and stamps them."""

import math
import time

import numpy as np

from edge.camera.capture import CapturedFrame
from edge.events.codes import Code
from edge.events.encoding import mask_size
from edge.events.event import CodeName, Inspection, MaskPlacement, PartAlignment
from edge.events.stamps import UNSTAMPED, wall_clock
from edge.product.product import Product
from edge.station.inspector import JudgedFrame
from edge.vision.placement import Placement
from edge.vision.turned_back import placement_in_frame

MAX_LOST = 10_000


def judged_part(
    captured: CapturedFrame, judged: JudgedFrame, product: Product, stages_ms: dict[str, float]
) -> Inspection:
    """The verdict on one frame."""
    frame, passed_over = captured
    verdict, code, score, threshold, regions, _, roi = judged.judgement
    where = judged.placement
    return Inspection(
        **UNSTAMPED,
        product=product.name,
        version=product.version,
        inspection_id=1,
        frame_id=frame.frame_id,
        trigger_id=frame.trigger_id,
        encoder=frame.encoder,
        part_id=frame.part_id,
        verdict=verdict,
        code=CodeName.of(code),
        captured_ns=frame.captured_ns,
        captured_at=wall_clock(frame.captured_ns),
        camera_ns=frame.camera_ns,
        chunks=dict(frame.chunks),
        stages_ms=stages_ms,
        score=score if math.isfinite(score) else None,
        threshold=threshold,
        roi=roi,
        passed_over=passed_over,
        regions=regions,
        mask=placed(placement_in_frame(where)) if where else None,
        picture=frame.image.size > 0,
        alignment=aligned(judged),
    )


def aligned(judged: JudgedFrame) -> PartAlignment | None:
    """How the part lies in the frame, and how well it was found."""
    where = judged.placement
    if judged.quality is None:
        return None
    if where is None or where.motion is None:
        return PartAlignment(quality=judged.quality)
    middle = np.array([[where.width / 2, where.height / 2]])
    shift = where.points_to_frame(middle) - where.of_reference.points_to_frame(middle)
    x, y = shift[0].tolist()
    return PartAlignment(quality=judged.quality, turn=where.motion.turn, shift=(x, y))


def placed(where: Placement) -> MaskPlacement:
    """Where an event's mask lies in the camera's frame."""
    height, width = mask_size(where.height, where.width)
    return MaskPlacement(
        crop=where.crop,
        height=height,
        width=width,
        corrected=where.correction is not None,
        box_mm=where.box_to_mm((0, 0, where.width, where.height)),
    )


def lost_part(trigger_id: int, code: Code, product: Product) -> Inspection:
    """A trigger without a frame: NO_VERDICT, and `frame_id` 0."""
    now = time.monotonic_ns()
    return Inspection(
        **UNSTAMPED,
        product=product.name,
        version=product.version,
        inspection_id=1,
        frame_id=0,
        trigger_id=trigger_id,
        verdict="NO_VERDICT",
        code=CodeName.of(code),
        captured_ns=now,
        captured_at=wall_clock(now),
        stages_ms={},
        score=None,
        threshold=None,
        passed_over=0,
        regions=[],
        picture=False,
    )


def lost_triggers(last: int | None, now: int | None) -> range:
    """Ids between two successive triggers of the log; none where the counter has restarted."""
    return range(0) if last is None or now is None else range(last + 1, now)
