"""How alignment finds parts, against other methods, and what it costs.

`python -m tests.measure.align [DIR ...]`: each DIR has pictures of good parts, of which the first
is the reference; the simulated line's are always taken. Each picture is turned and shifted by known
amounts, and a method is right where it finds the difference between a picture before and after
within 2 % of the shorter side (the parts lie differently already before).
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.camera.simulated.renderer import PartRenderer
from edge.vision.aligner import make_aligner
from edge.vision.alignment import Alignment, NotAligned
from edge.vision.fit import Fit
from edge.vision.image_files import find_images, read_image
from edge.vision.motion import chain, moved, of_indices, scaled

COUNT, CLOSE, SHIFT = 30, 0.02, 0.15
SMALL = 128
Image = NDArray[np.uint8]
Affine = NDArray[np.float64]
Method = Callable[[Image, Image], Affine | None]


def ours(turn: float) -> Method:
    """The alignment of a station, whatever the quality."""
    kept: dict[int, Fit] = {}

    def find(reference: Image, image: Image) -> Affine | None:
        height, width = reference.shape[:2]
        if id(reference) not in kept:
            plain, limits = (
                Fit(256, 32 * round(8 * width / height)),
                Alignment(turn=turn, shift=0.2),
            )
            made = make_aligner(limits, plain(reference)[0])
            # Nothing is plain background here, and a cut part is no matter: where it lies counts.
            made.__dict__["part"] = np.zeros(made.reference.shape[:2], np.bool_)
            kept[id(reference)] = replace(plain, aligner=made)
        try:
            motion = kept[id(reference)](image)[1].motion
        except NotAligned:
            return None
        return None if motion is None else motion.matrix

    return find


def small(image: Image) -> tuple[Image, float]:
    scale = SMALL / max(image.shape[:2])
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    size = round(gray.shape[1] * scale), round(gray.shape[0] * scale)
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def at_full_size(indices: Affine, scale: float) -> Affine:
    """From pixels of small pictures, counted as OpenCV does, to those of the whole ones."""
    half = np.array([0.5, 0.5])
    whole = np.column_stack([indices[:, :2], indices[:, 2] + half - indices[:, :2] @ half])
    return chain(scaled((1 / scale, 1 / scale), (0, 0)), whole, scaled((scale, scale), (0, 0)))


def ecc(reference: Image, image: Image) -> Affine | None:
    """ECC from where the reference lies."""
    (one, scale), (other, _) = small(reference), small(image)
    all_of_it = np.full(other.shape, 255, np.uint8)
    start, stop = np.eye(2, 3, dtype=np.float32), (3, 50, 1e-4)
    try:
        found = cv2.findTransformECC(one, other, start, cv2.MOTION_EUCLIDEAN, stop, all_of_it, 5)[1]
    except cv2.error:
        return None
    return at_full_size(np.asarray(found, np.float64), scale)


def fourier(reference: Image, image: Image) -> Affine | None:
    """Turn by phase correlation of log spectra in polar form, then shift by phase correlation."""
    (one, scale), (other, _) = (small(picture) for picture in (reference, image))
    height, width = one.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)

    def spectrum(gray: Image) -> NDArray[np.float32]:
        tapered = np.zeros((SMALL, SMALL), np.float32)
        tapered[:height, :width] = (gray - gray.mean()) * window
        size = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(tapered)))).astype(np.float32)
        polar = cv2.warpPolar(size, (64, 360), (SMALL / 2, SMALL / 2), SMALL / 2, 0)[:180]
        return np.asarray(polar - polar.mean(axis=0), np.float32)

    turn = cv2.phaseCorrelate(spectrum(one), spectrum(other))[0][1]
    tried = []
    for angle in (turn, turn + 180):
        upright = moved(angle, (width / 2, height / 2), (0, 0))
        turned = cv2.warpAffine(one, of_indices(upright), (width, height), borderMode=1)
        before, after = np.asarray(turned, np.float32), np.asarray(other, np.float32)
        shift, response = cv2.phaseCorrelate(before, after, window)
        tried.append((response, chain(scaled((1, 1), (shift[0], shift[1])), upright)))
    best = max(tried, key=lambda one: one[0])[1]
    return chain(scaled((1 / scale, 1 / scale), (0, 0)), best, scaled((scale, scale), (0, 0)))


def features(reference: Image, image: Image) -> Affine | None:
    """ORB and RANSAC."""
    finder = cv2.ORB.create(500)
    (points, one), (others, other) = (
        finder.detectAndCompute(cv2.cvtColor(p, cv2.COLOR_BGR2GRAY), None)
        for p in (reference, image)
    )
    if one is None or other is None:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(one, other)
    if len(pairs) < 4:
        return None
    source = np.array([points[pair.queryIdx].pt for pair in pairs], np.float32)
    target = np.array([others[pair.trainIdx].pt for pair in pairs], np.float32)
    found = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3)[0]
    return None if found is None else at_full_size(np.asarray(found, np.float64), 1.0)


def compared(name: str, images: list[Image], turn: float) -> None:
    """One row: for each method the share of right answers and the milliseconds of one."""
    methods: dict[str, Method] = {
        "ours": ours(min(180.0, turn + 8)), "ECC": ecc, "Fourier": fourier, "ORB": features
    }  # fmt: skip
    reference, rest = images[0], images[1 : COUNT + 1]
    height, width = reference.shape[:2]
    share = np.linspace(0.2, 0.8, 5)
    points = np.array([(x * width, y * height) for x in share for y in share])
    row = [name, f"{turn:g}"]
    for method in methods.values():
        rng, right, spent = np.random.default_rng(1), 0, 0
        for image in rest:
            shift = rng.uniform(-SHIFT, SHIFT, 2) * min(width, height)
            true = moved(rng.uniform(-turn, turn), (width / 2, height / 2), tuple(shift))
            shown = cv2.warpAffine(image, of_indices(true), (width, height), borderMode=1)
            before = method(reference, image)
            start = time.thread_time_ns()
            after = method(reference, np.asarray(shown, np.uint8))
            spent += time.thread_time_ns() - start
            if before is not None and after is not None:
                expected, found = chain(true, before), after
                error = (points @ (expected - found)[:, :2].T) + (expected - found)[:, 2]
                right += np.linalg.norm(error, axis=1).mean() < CLOSE * min(width, height)
        row.append(f"{right / len(rest):.0%}, {spent / 1e6 / len(rest):.1f} ms")
    print("| " + " | ".join(row) + " |", flush=True)


def cost() -> None:
    """Milliseconds of `fit`, without and with alignment."""
    print("\n| frame | turn | plain, ms | aligned, ms |\n|---|---|---|---|")
    line = PartRenderer("moulded", 3)
    for size in ((640, 480), (1920, 1200)):
        images = [np.asarray(cv2.resize(line.part(i).image, size), np.uint8) for i in range(6)]
        for turn in (10.0, 180.0):
            plain = Fit(288, 352)
            made = make_aligner(Alignment(turn=turn, shift=0.2), plain(images[0])[0])
            medians = []
            for fit in (plain, replace(plain, aligner=made)):
                taken = []
                for i in range(60):
                    start = time.thread_time_ns()
                    fit(images[i % 6])
                    taken.append((time.thread_time_ns() - start) / 1e6)
                medians.append(float(np.median(taken)))
            print(f"| {size[0]}x{size[1]} | {turn:g} | {medians[0]:.1f} | {medians[1]:.1f} |")


def main() -> None:
    cv2.setNumThreads(1)
    print("| parts | turn | alignment | ECC | Fourier | ORB |\n|---|---|---|---|---|---|")
    sets = {}
    for kind in ("moulded", "machined"):
        line = PartRenderer(kind, 3)
        sets[f"line://{kind}"] = [line.part(i).image for i in range(COUNT + 1)]
    for folder in sys.argv[1:]:
        found = [read_image(path) for path in find_images(Path(folder))[: COUNT + 1]]
        sets[folder] = [image for image in found if image.shape == found[0].shape]
    for name, images in sets.items():
        for turn in (10.0, 180.0):
            compared(name, images, turn)
    cost()


if __name__ == "__main__":
    main()
