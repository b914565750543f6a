"""A folder of images as a camera: each file is one frame, in order of their names."""

import time
from pathlib import Path

import numpy as np

from edge.base.closeable import Closeable
from edge.base.errors import ImageError
from edge.camera import EndOfStream
from edge.events.event import Code
from edge.vision.frame import Frame
from edge.vision.image_files import find_images, read_image


class FolderCamera(Closeable):
    """Frames from image files; a file that cannot be read is a frame with a code, never skipped.

    In triggered mode each file counts as one trigger.
    """

    live = False

    def __init__(self, folder: Path, *, triggered: bool, bit_depth: int | None) -> None:
        self._folder = folder
        self._paths = iter(find_images(folder))
        self._triggered = triggered
        self._bit_depth = bit_depth
        self._count = 0

    def read(self) -> Frame:
        path = next(self._paths, None)
        if path is None:
            raise EndOfStream("the folder has no more images")
        self._count += 1
        trigger = self._count if self._triggered else None
        code = Code.NONE
        try:
            image = read_image(path, self._bit_depth)
        except ImageError:
            image, code = np.zeros((0, 0, 3), np.uint8), Code.FRAME_UNREADABLE
        captured = time.monotonic_ns()
        return Frame(image, self._count, captured, trigger, part_id=self._name(path), code=code)

    def _name(self, path: Path) -> str:
        """The file's path below the folder."""
        return str(path.relative_to(self._folder)) if path != self._folder else path.name

    def about(self) -> dict[str, str | float]:
        return {"folder": str(self._folder)}
