"""What several modules stand on: the web pages of a small installation, and certificates that are trusted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from digest.web.connections import Connection
from tests.integration.web_site import Town, serving_town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with serving_town(tmp_path) as town:
        yield town


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts, as a machine trusts those of its certificate store."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections to the pages that have ended."""
    ended: list[Connection] = []
    connection_lost = Connection.connection_lost

    def note(self: Connection, error: BaseException | None) -> None:
        connection_lost(self, error)
        ended.append(self)

    monkeypatch.setattr(Connection, "connection_lost", note)
    return ended
