"""What the tests of releases share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.release.lifecycle import export, seal
from deploy.release.signing import make_key
from edge.product.product import load_product
from tests.support.fork_server import ForkServer
from tests.support.release_files import Files, files_of, make


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Processes that are killed where a test says."""
    with ForkServer() as server:
        yield server


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private and a public key file."""
    return make_key(tmp_path / "keys", "plant")


@pytest.fixture
def file(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    """The release file of a signed version."""
    path = make(tmp_path / "office", b"model" * 200).path
    seal(path, keys[0])
    export(load_product(tmp_path / "office", "lid"), tmp_path / "lid.draem")
    return tmp_path / "lid.draem"


@pytest.fixture
def files(file: Path) -> Files:
    """Its members."""
    return files_of(file)
