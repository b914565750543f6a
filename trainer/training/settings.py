"""The settings of a training: frozen, flat, and kept with the weights that they led to."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from edge.base.errors import ImageError
from edge.product.golden import MOST_INPUT_PIXELS
from edge.product.manifest import MOST_PICTURE_PIXELS
from edge.vision.aligner import make_aligner
from edge.vision.alignment import LEAST_QUALITY, Alignment, Quality, Shift, Turn
from edge.vision.fit import Fit
from edge.vision.frame import Box
from edge.vision.geometry import Geometry
from edge.vision.image_files import read_image
from edge.vision.tiles import MULTIPLE, InputSide, Tile
from trainer.network.spec import Kind, NetworkSpec

OVERLAP = 96
"""Pixels that neighbouring tiles share.

EfficientNet-Lite0's features at strides 4 and 8 are those of the whole picture from 24 pixels
inside a tile. At stride 16 they differ by 33 % of their mean at 32 pixels from its border, by 17 %
at 48, the middle between two tiles, and by 4 % at 80.
"""


class TrainSettings(BaseModel):
    """One training. Sizes in pixels, angles in degrees.

    `height` and `width` are those of the picture that is judged, multiples of 32 unless it is
    judged in tiles; `tile_height` and `tile_width` those of the network's input then.
    A setting with a description has an option of the same name. `steps` is computed from `epochs`
    or `minutes` where one of them is given; without `max_minutes` it is never cut short. `average`
    is the decay of the weights' moving average and `clip` the largest gradient norm; 0 turns either
    off. `score_window` is odd, or 'authors': 21 at 256x256 and in proportion. `backbone_sha256` is
    of the file at the start; `archived` are queries of an archive with fixed times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    images: Path
    also: tuple[Path, ...] = ()
    archived: tuple[str, ...] = ()
    product: str
    products: Path
    runs: Path = Path("runs")
    network: Kind = Field(
        "features",
        description="'features': on a frozen pretrained encoder; 'pixels': the paper's",
    )
    backbone: str = Field(
        "lite0",
        description="encoder of the features network: EfficientNet lite0, lite1 or lite2, or a "
        "file with the state dict of a ResNet",
    )
    memory: int = Field(
        2048,
        ge=0,
        le=16384,
        description="typical features of good parts that the features network remembers, and "
        "compares others with beside what it learned; 0 for none",
    )
    backbone_sha256: str | None = None
    tile_height: InputSide | None = None
    tile_width: InputSide | None = None
    height: int = Field(256, ge=32, le=1 << 14)
    width: int = Field(256, ge=32, le=1 << 14)
    crop: Box | None = None
    geometry: Geometry | None = None
    align: Path | None = None
    align_turn: Turn = Field(180, description="the largest turn of a part to either side, degrees")
    align_shift: Shift = Field(
        0.2, description="its largest shift along each axis, as a share of the crop's longer side"
    )
    align_quality: Quality | None = Field(
        None,
        description="the least correlation with the reference picture (default: 3/4 of the least "
        "of the training's images, at least 0.5)",
    )
    bit_depth: int | None = Field(None, ge=8, le=16)
    rec_width: int = Field(32, ge=1)
    seg_width: int = Field(48, ge=1)
    schedule: Literal["trapezoid", "one-cycle", "steps"] = "trapezoid"
    init: Literal["torch", "paper"] = "torch"
    average: float = Field(0.99, ge=0, lt=1)
    clip: float = Field(1, ge=0)
    steps: int = Field(3000, ge=1, description="training steps")
    epochs: int | None = Field(
        None, ge=1, description="instead of steps: how often every image is seen"
    )
    minutes: float | None = Field(
        None, gt=0, description="instead of steps: a time; a few steps are timed at the start"
    )
    max_minutes: float | None = Field(
        10, gt=0, description="a training ends with fewer steps where it would take longer"
    )
    batch: int = Field(8, ge=1, description="images a step (and process)")
    learning_rate: float = Field(2e-3, gt=0, description="the highest rate of the schedule")
    rotation: float = Field(
        0, ge=0, le=180, description="rotate half of the good images by up to so many degrees"
    )
    light: float = Field(
        0, ge=0, lt=1, description="make half of them darker or lighter by up to this share of 1"
    )
    mirror: bool = Field(
        False, description="mirror half of them left to right, and half top to bottom"
    )
    good_share: float = Field(
        0.5, ge=0, lt=1, description="the share of images that get no anomaly"
    )
    simulation: Literal["mixed", "paper"] = Field(
        "mixed",
        description="anomalies to learn from: 'mixed' is textures, and the image itself displaced, "
        "shaded, warped or blurred; 'paper' is textures alone",
    )
    textures: Path | None = Field(None, description="a folder of pictures as anomaly textures")
    score_window: Literal["authors"] | Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="pixels a side that the score averages the heatmap over (default 13 for "
        "features; 3 at 128x128, 5 at 256x256 for pixels); fewer for small defects, 21 at 256x256 "
        "are the authors'",
    )
    validate_every: int = Field(250, ge=1, description="steps from one validation to the next")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of the convolutions; 'auto' is the device's fastest"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where to train")

    @field_validator("batch")
    @classmethod
    def _enough_for_batchnorm(cls, batch: int, info: ValidationInfo) -> int:
        """The deepest maps are 1/32 of the input: one value has no variance."""
        height, width = _input(info)
        if batch * height * width <= 32 * 32:
            raise ValueError("one image of 32x32 has no statistics, take two")
        return batch

    @field_validator("height", "width")
    @classmethod
    def _can_be_an_input(cls, side: int, info: ValidationInfo) -> int:
        tile = info.data.get(f"tile_{info.field_name}")
        if tile is None and side % MULTIPLE:
            raise ValueError(f"without --tile the sides are multiples of {MULTIPLE}")
        if tile is not None and tile > side:
            raise ValueError(f"the picture is smaller than the tile of {tile}")
        return side

    @field_validator("width")
    @classmethod
    def _golden_frames_fit(cls, width: int, info: ValidationInfo) -> int:
        """Into golden.npz, which no line reads beyond a limit."""
        if width * info.data.get("height", 32) > MOST_PICTURE_PIXELS:
            raise ValueError(f"a picture has at most {MOST_PICTURE_PIXELS} pixels")
        tile_width = info.data.get("tile_width") or width
        if tile_width * (info.data.get("tile_height") or info.data.get("height", 32)) > (
            MOST_INPUT_PIXELS
        ):
            raise ValueError(f"an input has at most {MOST_INPUT_PIXELS} pixels: judge it in --tile")
        return width

    @field_validator("score_window")
    @classmethod
    def _has_a_middle(cls, window: int | str | None, info: ValidationInfo) -> int | str | None:
        side = min(_input(info))
        if isinstance(window, int) and (window % 2 == 0 or window > side):
            raise ValueError(f"take an odd number, up to the {side} pixels of the image")
        return window

    @property
    def tile(self) -> Tile | None:
        """The tile that pictures are judged in; None for whole ones."""
        if self.tile_height is None or self.tile_width is None:
            return None
        return tile_of(self.tile_height, self.tile_width)

    @property
    def input_shape(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.tile_height or self.height, self.tile_width or self.width

    @property
    def window(self) -> int:
        """The score's window; unless it is set, 13 for features: three of their finest pixels;
        3 at 128x128 for pixels, and in proportion elsewhere.
        """
        if self.score_window == "authors":
            from trainer.network.pixels.model import authors_window

            return authors_window(*self.input_shape)
        small = 2 * (min(self.input_shape) // 100) + 1
        return self.score_window or (13 if self.network == "features" else small)

    @property
    def network_spec(self) -> NetworkSpec:
        from trainer.network.features.backbone import backbone_name

        widths = self.rec_width, self.seg_width
        if self.network == "pixels":
            return NetworkSpec(self.network, *widths, self.window)
        backbone = backbone_name(self.backbone)
        return NetworkSpec(self.network, *widths, self.window, backbone, self.memory)

    @property
    def encoder_weights(self) -> Path | None:
        """The file of the frozen encoder's weights; None for pixels."""
        from trainer.network.features.backbone import find_weights

        return find_weights(self.backbone) if self.network == "features" else None

    @property
    def fit(self) -> Fit:
        """With `align` the reference picture is read.

        Raises ImageError where it cannot be used.
        """
        plain = Fit(self.height, self.width, crop=self.crop, geometry=self.geometry)
        if self.align is None:
            return plain
        limits = Alignment(turn=self.align_turn, shift=self.align_shift,
                           quality=self.align_quality or LEAST_QUALITY)  # fmt: skip
        try:
            fitted = plain(read_image(self.align, self.bit_depth))[0]
            return replace(plain, aligner=make_aligner(limits, fitted))
        except ValueError as error:
            raise ImageError(f"{self.align} cannot be the reference picture: {error}") from error


def tile_of(height: int, width: int) -> Tile:
    """A tile with the usual overlap."""
    return Tile(height=height, width=width, overlap=min(OVERLAP, min(height, width) // 2))


def _input(info: ValidationInfo) -> tuple[int, int]:
    """Height and width of the network's input in a validation."""
    height, width = (
        info.data.get(f"tile_{side}") or info.data.get(side, MULTIPLE)
        for side in ("height", "width")
    )
    return height, width
