"""TensorRT, and its flavour for RTX cards: the only file that imports either library.

Its callers use only what both libraries have had since TensorRT 10.13.
"""

from types import ModuleType
from typing import Any

from edge.base.errors import EngineError
from edge.engine.cuda import CPU, find_gpu


def library(flavour: str) -> ModuleType:
    """The library of a flavour. Raises EngineError with the command that installs it."""
    try:
        if flavour == "tensorrt":
            import tensorrt as trt
        else:
            import tensorrt_rtx_bindings as trt
    except (ImportError, OSError) as error:  # OSError: a library of it is missing
        fix = (
            "on a Jetson it comes with JetPack (see docs/jetson.md), on a PC pip install "
            "'.[tensorrt]'" if flavour == "tensorrt" else "pip install '.[tensorrt-rtx]'"
        )  # fmt: skip
        raise EngineError(f"{flavour} is missing ({error}): {fix}, {CPU}") from None
    module: ModuleType = trt
    return module


def log_of(trt: ModuleType, lines: list[str]) -> Any:
    """A logger that keeps TensorRT's errors in `lines` and drops the rest."""

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                lines.append(message)

    return Log()


def missing(flavour: str) -> str | None:
    """What this device lacks to run a flavour, and how to fix it; None where it has all."""
    try:
        gpu = find_gpu()  # first: loading the library takes seconds and memory
        trt = library(flavour)
    except EngineError as error:
        return str(error)
    # The RTX flavour lists the cards that it knows; the other knows all that its driver does.
    known = getattr(trt, "ComputeCapability", None)
    if known is not None and f"SM{gpu.capability.replace('.', '')}" not in known.__members__:
        return (
            f"{flavour} {trt.__version__} does not know compute capability {gpu.capability} "
            f"({gpu.name}): pip install '.[tensorrt]', {CPU}"
        )
    return None


def started(make: Any, log: Any, errors: list[str]) -> Any:
    """TensorRT's builder or runtime. Raises EngineError where no CUDA suits it."""
    try:
        return make(log)
    except (TypeError, RuntimeError) as error:  # its ways to report a failed constructor
        why = errors[0] if errors else error
        raise EngineError(
            f"TensorRT cannot start ({why}): update the NVIDIA driver to its CUDA, {CPU}"
        ) from None
