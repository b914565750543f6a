"""How the authors' code feeds its training, written anew for comparison: one image at a time.

Every item is made in NumPy and OpenCV by a loader's worker: Perlin noise at each pixel, a fixed
threshold, a texture with three of its augmentations, a random blend (facts of the published code).
"""

import math
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

Item = tuple[Tensor, Tensor, Tensor]
Pixel = TypeVar("Pixel", np.uint8, np.float32)


class AuthorsDataset(Dataset[Item]):
    """(good [3, H, W], the same with or without an anomaly, mask [H, W]), float32, contiguous."""

    def __init__(self, images: NDArray[np.uint8], count: int) -> None:
        self._images, self._count = images, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng(index)
        image = self._images[rng.integers(len(self._images))]
        height, width = image.shape[:2]
        if rng.random() < 0.3:
            image = rotated(image, rng.uniform(-90, 90))
        good = image.astype(np.float32) / 255
        texture = augmented(self._images[rng.integers(len(self._images))], rng)
        mask = (rotated(perlin(height, width, rng), rng.uniform(-90, 90)) > 0.5).astype(np.float32)
        beta = rng.random() * 0.8
        part = mask[..., None]
        made = good * (1 - part) + part * ((1 - beta) * texture / 255 + beta * good)
        if rng.random() < 0.5:
            made, mask = good, np.zeros_like(mask)
        tensors = (np.ascontiguousarray(a.transpose(2, 0, 1), np.float32) for a in (good, made))
        return *(torch.from_numpy(t) for t in tensors), torch.from_numpy(mask)  # type: ignore[return-value]


def perlin(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One octave at every pixel: gradients of four corners, faded and mixed."""
    scale = 2 ** rng.integers(0, 6, 2)
    angles = 2 * math.pi * rng.random((scale[0] + 1, scale[1] + 1))
    gradients = np.stack((np.cos(angles), np.sin(angles)), axis=-1)
    y = np.arange(height)[:, None] * scale[0] / height
    x = np.arange(width)[None, :] * scale[1] / width
    row, column = np.broadcast_arrays(y.astype(int), x.astype(int))
    dy, dx = np.broadcast_arrays(y % 1, x % 1)

    def corner(down: int, right: int) -> NDArray[np.float64]:
        slopes = gradients[row + down, column + right]
        offsets = np.stack((dy - down, dx - right), axis=-1)
        return np.asarray((slopes * offsets).sum(axis=-1))

    fade_y, fade_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (dy, dx))
    top = corner(0, 0) + fade_x * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + fade_x * (corner(1, 1) - corner(1, 0))
    return np.asarray(math.sqrt(2) * (top + fade_y * (bottom - top)), np.float32)


def rotated(image: NDArray[Pixel], degrees: float) -> NDArray[Pixel]:
    """Turned about its centre, black beyond its border."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), image.dtype)


def augmented(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Three of six changes of colour and place."""
    for kind in rng.choice(6, 3, replace=False):
        if kind == 0:
            image = 255 - image
        elif kind == 1:
            contrast, brightness = rng.uniform(0.5, 2), rng.uniform(-30, 30)
            image = np.asarray(cv2.convertScaleAbs(image, None, contrast, brightness), np.uint8)
        elif kind == 2:
            image = np.where(image >= rng.integers(32, 128), 255 - image, image)
        elif kind == 3:
            image = image & np.uint8(0b11100000)
        elif kind == 4:
            shifted = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
            shifted[..., 0] = (shifted[..., 0].astype(int) + rng.integers(180)) % 180
            image = np.asarray(cv2.cvtColor(shifted, cv2.COLOR_HSV2BGR), np.uint8)
        else:
            image = rotated(image, rng.uniform(-45, 45))
    return image
