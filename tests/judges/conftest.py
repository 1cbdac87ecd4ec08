from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.installation import SIMULATOR
from tests.judges.correspondence import Correspondence, invented_days, real_days

_MAKING: dict[str, Callable[[Path], Correspondence]] = {"invented": invented_days, "real": real_days}


@pytest.fixture(scope="session", params=_MAKING)
def correspondence(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Correspondence:
    """The mails of invented papers, and then those of real ones."""
    if request.param == "real" and not SIMULATOR.is_file():
        pytest.skip("the simulated arXiv over real papers is not beside this checkout")
    return _MAKING[request.param](tmp_path_factory.mktemp(request.param))
