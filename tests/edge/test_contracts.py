"""What a device on the line never has to load."""

import subprocess
import sys

import pytest

CONTRACT = (
    "edge.product.product edge.vision.fit edge.events.event edge.vision.judge "
    "edge.station.settings edge.events.subscriber edge.station.loop"
)
HEAVY = {"torch", "tensorrt", "pycuda", "openvino", "gi", "onnx", "sklearn"}


def loaded_by(code: str) -> set[str]:
    """The heavy modules that a fresh process holds after `code`."""
    check = f"{code}\nimport sys\nprint(' '.join(sorted(sys.modules.keys() & {HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_contract_modules_load_nothing_heavy() -> None:
    assert loaded_by(f"import {CONTRACT.replace(' ', ', ')}") == set()


@pytest.mark.parametrize("command", ["run", "watch", "inspect", "doctor"])
def test_what_runs_on_the_line_imports_no_torch(command: str) -> None:
    assert loaded_by(f"import edge.commands.{command}") <= {"openvino"}


def test_calibration_and_build_import_no_torch() -> None:
    code = (
        "import calibration.commands.calibrate, calibration.commands.collect, "
        "deploy.commands.build, deploy.commands.release"
    )
    assert loaded_by(code) <= {"openvino"}
