"""The image of this checkout, built once, and a container for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.podman import Container, Podman, build_image, import_base
from tests.systemd.machine import CannotRun

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """With the image in its storage."""
    podman = Podman(folder=tmp_path_factory.mktemp("podman"))
    try:
        import_base(podman)
        build_image(podman, CHECKOUT)
        yield podman
    except CannotRun as reason:
        pytest.skip(str(reason))
    finally:
        podman.attempt("system", "reset", "--force")
        shutil.rmtree(podman.folder, ignore_errors=True)


@pytest.fixture
def container(podman: Podman) -> Iterator[Container]:
    """Not started yet, and without state."""
    container = Container(podman=podman)
    container.remove()
    yield container
    container.remove()
