"""A folder of images as a camera: each file is one frame, in order of their names."""

import logging
import time
from pathlib import Path

from edge.base.closeable import Closeable
from edge.base.errors import ImageError
from edge.base.text import printable
from edge.camera import NO_PICTURE, EndOfStream
from edge.events.codes import Code
from edge.vision.frame import Frame
from edge.vision.image_files import find_images, read_image

log = logging.getLogger(__name__)


class FolderCamera(Closeable):
    """Frames from image files; a file that cannot be read is a frame with a code, never skipped.

    In triggered mode each file counts as one trigger. `part_id` is the file's path in the folder.
    """

    live = False

    def __init__(self, folder: Path, *, triggered: bool, bit_depth: int | None) -> None:
        self._folder = folder
        self._paths = enumerate(find_images(folder), 1)
        self._triggered = triggered
        self._bit_depth = bit_depth

    def read(self) -> Frame:
        number, path = next(self._paths, (0, None))
        if path is None:
            raise EndOfStream("the folder has no more images")
        try:
            image, code = read_image(path, self._bit_depth), Code.NONE
        except ImageError as error:
            log.warning("%s", error)
            image, code = NO_PICTURE, Code.FRAME_UNREADABLE
        trigger = number if self._triggered else None
        part = path.name if path == self._folder else path.relative_to(self._folder)
        now = time.monotonic_ns()
        return Frame(image, number, now, trigger, part_id=printable(part), code=code)

    def about(self) -> dict[str, str | float]:
        return {"folder": printable(self._folder)}
