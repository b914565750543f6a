"""Pictures that show their own number, so that a received one can be compared with the sent one."""

from collections.abc import Iterator

import numpy as np

from edge.vision.image_files import Image

WIDTH, HEIGHT, BITS, BLOCK = 320, 240, 16, 16


def picture(number: int) -> Image:
    """A texture with noise that moves, below a row of white and black blocks, the number's bits."""
    random = np.random.default_rng(number)
    coarse = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    texture = np.roll(coarse.repeat(8, 0).repeat(8, 1), 2 * number, 1)
    noise = random.integers(-20, 20, texture.shape, np.int16)
    image: Image = np.clip(texture + noise, 0, 255).astype(np.uint8)
    bits = [255 * (number >> bit & 1) for bit in range(BITS)]
    image[:BLOCK, : BITS * BLOCK] = np.repeat(bits, BLOCK)[None, :, None]
    return image


def pictures(count: int) -> Iterator[Image]:
    return map(picture, range(count))


def number_of(image: Image) -> int:
    """The number that a picture shows."""
    blocks = image[BLOCK // 2, BLOCK // 2 : BITS * BLOCK : BLOCK].mean(-1)
    return sum(1 << bit for bit in range(BITS) if blocks[bit] > 128)
