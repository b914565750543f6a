"""Which frames of a camera are worth keeping, what is known of them, and a sheet of them all."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.base.errors import CameraError, ImageError
from edge.camera import Camera, all_frames
from edge.events.codes import Code
from edge.events.stamps import wall_clock
from edge.vision.calibration import Calibration
from edge.vision.fit import Fit, Refused, prepare
from edge.vision.frame import Frame
from edge.vision.image_files import read_image, write_png
from edge.vision.judge import conditions_code, measure
from edge.vision.near_duplicates import PartCounter

RECORD = "frames.jsonl"
COLUMNS, TILE = 10, (192, 144)
SAME_PART = "the same part again"
MOST_REFUSED = 100


class FrameFilter:
    """Lets a frame through, or says why not: by the checks that make a line say NO_VERDICT."""

    def __init__(self, fit: Fit, calibration: Calibration | None, *, triggered: bool) -> None:
        self._fit, self._calibration, self._triggered = fit, calibration, triggered
        self._seen = PartCounter()

    def know(self, image: NDArray[np.uint8]) -> None:
        """A part that was collected before."""
        self._seen.number(self._fit(image)[0])  # ValueError where it does not fit

    def refusal(self, frame: Frame) -> str:
        """Why the frame is of no use; empty where it is."""
        prepared = prepare(frame, self._fit)
        if isinstance(prepared, Refused):
            return prepared.code.name.lower()
        conditions = measure(prepared.fitted)
        if min(conditions) <= 0:
            return "black or perfectly even"
        if self._calibration and (code := conditions_code(conditions, self._calibration)):
            return code.name.lower()
        known = len(self._seen)
        # Each trigger is a part of its own, however much the next one looks like it.
        if self._seen.number(prepared.fitted) < known and not self._triggered:
            return SAME_PART
        return ""


class Collection:
    """Frames in a folder: frame_<number>.png, and in frames.jsonl what is known of each."""

    def __init__(self, folder: Path, camera: Camera, sieve: FrameFilter) -> None:
        self._folder, self._camera, self._sieve = folder, camera, sieve
        folder.mkdir(parents=True, exist_ok=True)
        before = collected(folder)
        for path in before:
            try:
                sieve.know(read_image(path))
            except ValueError as error:
                raise ImageError(f"{path}: {error}; collect into another folder") from error
        self._next = int(before[-1].stem.rpartition("_")[2]) + 1 if before else 0
        self.refused: Counter[str] = Counter()
        self._misfits = 0  # in a row

    def take(self) -> Iterator[Path | str]:
        """For each frame of the camera where it was saved, or why it was refused.

        Raises CameraError when MOST_REFUSED in a row do not fit.
        """
        for frame in all_frames(self._camera):
            why = self._sieve.refusal(frame)
            self._misfits = self._misfits + 1 if why == Code.WRONG_FORMAT.name.lower() else 0
            if self._misfits == MOST_REFUSED:
                raise CameraError(
                    f"{MOST_REFUSED} frames in a row do not fit: give the camera the size that the "
                    "product was made with, or collect without --product (and without 'product' in "
                    "station.toml)"
                )
            if why:
                self.refused[why] += 1
                yield why
            else:
                yield self._save(frame)

    def _save(self, frame: Frame) -> Path:
        path = self._folder / f"frame_{self._next:05d}.png"
        write_png(path, frame.image)
        known = {
            "file": path.name,
            "captured_at": wall_clock(frame.captured_ns),
            "frame_id": frame.frame_id,
            "trigger_id": frame.trigger_id,
            "encoder": frame.encoder,
            "part_id": frame.part_id,
            "camera": self._camera.about(),
        }
        with (self._folder / RECORD).open("a", encoding="utf-8") as record:
            record.write(json.dumps(known) + "\n")
        self._next += 1
        return path


def collected(folder: Path) -> list[Path]:
    """The frames in a collection's folder, in order."""
    return sorted(p for p in folder.iterdir() if re.fullmatch(r"frame_\d{5,}\.png", p.name))


def contact_sheet(paths: list[Path]) -> NDArray[np.uint8]:
    """All pictures small, in rows, each with its number, to look through before training."""
    tiles = [_tile(path) for path in paths]
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    return np.asarray(np.vstack(rows), np.uint8)


def _tile(path: Path) -> NDArray[np.uint8]:
    tile = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    try:
        image = read_image(path)
    except ImageError:
        return tile
    scale = min(TILE[0] / image.shape[1], TILE[1] / image.shape[0])
    size = (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tile[: size[1], : size[0]] = small
    number = path.stem.rpartition("_")[2].lstrip("0") or "0"
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(tile, number, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness)
    return tile
