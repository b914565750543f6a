"""The GPU by way of pycuda; the only file that imports it, so that it can be changed.

A Device is made, used and closed in one thread (edge/engine/device_thread.py).
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.base.closeable import Closeable
from edge.base.errors import EngineError, EngineLost
from edge.engine.device_thread import RESTART

log = logging.getLogger(__name__)

CPU = "or run on the CPU with --flavour openvino"


class Gpu(NamedTuple):
    """What a plan depends on, and what a person wants to know. `capability` is as 8.6."""

    name: str
    capability: str
    sm_count: int
    memory_mb: int
    driver: str


def find_gpu() -> Gpu:
    """The first GPU. Raises EngineError that says what is missing: pycuda, a driver or a card."""
    cuda = _driver()
    with _told("cannot be asked"):
        device = cuda.Device(0)
        sm_count = device.get_attribute(cuda.device_attribute.MULTIPROCESSOR_COUNT)
        version = cuda.get_driver_version()
        return Gpu(
            name=device.name(),
            capability="{}.{}".format(*device.compute_capability()),
            sm_count=sm_count,
            memory_mb=device.total_memory() // 2**20,
            driver=f"CUDA {version // 1000}.{version % 1000 // 10}",
        )


class Device(Closeable):
    """The first GPU's primary context, one stream, and memory on both sides of it."""

    def __init__(self) -> None:
        self._cuda = _driver()
        self._kept: list[Any] = []
        with _told("has no room for a context"):
            context = self._cuda.Device(0).retain_primary_context()
            context.push()
        self._context: Any = context
        try:
            with _told("gives no stream"):
                self._stream = self._cuda.Stream()
        except EngineError:
            self.close()
            raise

    @property
    def stream(self) -> int:
        """The stream's handle, for whoever queues work on it."""
        return int(self._stream.handle)

    def host(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Page-locked memory, which copies without a detour; the device's until it is closed."""
        with _told("has no memory for frames"):
            array: NDArray[Any] = self._cuda.pagelocked_empty(shape, np.dtype(dtype))
        self._kept.append(array.base)
        return array

    def memory(self, nbytes: int) -> int:
        """The address of so much of the GPU's memory; the device's until it is closed."""
        with _told("has no memory for frames"):
            allocation = self._cuda.mem_alloc(nbytes)
        self._kept.append(allocation)
        return int(allocation)

    def upload(self, address: int, source: NDArray[Any]) -> None:
        """Queue a copy from page-locked memory to the GPU."""
        with _told("has failed"):
            self._cuda.memcpy_htod_async(address, source, self._stream)

    def download(self, target: NDArray[Any], address: int) -> None:
        """Queue a copy from the GPU to page-locked memory."""
        with _told("has failed"):
            self._cuda.memcpy_dtoh_async(target, address, self._stream)

    def synchronize(self) -> None:
        """Wait until all that was queued is done."""
        with _told("has failed"):
            self._stream.synchronize()

    def close(self) -> None:
        if self._context is None:
            return
        with _forgiven(self._cuda):
            for kept in self._kept:
                kept.free()
        self._kept.clear()
        self._stream = None
        with _forgiven(self._cuda):
            # While it is current: pycuda's own clean-up gives a primary context back the wrong way.
            self._context.detach()
        self._context = None


def _driver() -> Any:
    """pycuda's driver module, ready. Raises EngineError that says what is missing."""
    try:
        with warnings.catch_warnings(action="ignore"):  # it guesses at reasons; the error tells
            import pycuda.driver as cuda
    except ImportError as error:
        if "libcuda" in str(error):
            raise EngineError(
                f"there is no NVIDIA driver here ({error}): install it, {CPU}"
            ) from None
        raise EngineError(
            f"pycuda is missing ({error}): pip install '.[pycuda]' where the CUDA toolkit is, {CPU}"
        ) from None
    try:
        cuda.init()
        count = cuda.Device.count()
    except cuda.Error as error:
        raise EngineError(
            f"the NVIDIA driver finds no GPU ({error}): see 'nvidia-smi', {CPU}"
        ) from None
    if not count:
        raise EngineError(f"the NVIDIA driver finds no GPU: see 'nvidia-smi', {CPU}")
    return cuda


@contextmanager
def _told(what: str) -> Iterator[None]:
    """CUDA's errors as ours: too little memory is recoverable, anything else loses the device."""
    import pycuda.driver as cuda

    try:
        yield
    except cuda.MemoryError as error:
        raise EngineError(
            f"the GPU {what} ({error}): close other programs that use it, or build with a smaller "
            "--batch, a smaller --input or narrower networks"
        ) from None
    except cuda.Error as error:
        raise EngineLost(f"the GPU {what} ({error}): {RESTART}") from None


@contextmanager
def _forgiven(cuda: Any) -> Iterator[None]:
    """A lost device refuses to take anything back, and has nothing any more."""
    try:
        yield
    except cuda.Error as error:
        log.warning("the GPU takes nothing back: %s", error)
