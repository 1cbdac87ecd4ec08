"""The description of a transport, and the lookup of the one in use."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from digest.config.settings import Settings
from digest.mail.transport import Transport
from digest.service.finding import Finding
from digest.storage.rate_limit import UNLIMITED, Limits


def _none(settings: Settings) -> Iterator[Finding]:
    yield from ()


async def _nothing(settings: Settings) -> AsyncIterator[Finding]:
    for finding in _none(settings):
        yield finding


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportKind:
    """The description of a transport. Its name is the name of its module, and is listed in `TRANSPORTS`.

    - `build` makes the transport, and opens no connection or file yet.
    - `label` ends the sentence "3 digests sent".
    - `summary` is a sentence for `digest doctor`, which begins with "mails go".
    - `limits` are those of the server.
    - `check_files` checks this machine, `check_server` other machines.
    - `is_public`: mails leave this machine, so the doctor also checks the sender's domain.
    """

    build: Callable[[Settings], Transport]
    label: Callable[[Settings], str]
    summary: Callable[[Settings], str]
    limits: Callable[[Settings], Limits] = lambda settings: UNLIMITED
    check_files: Callable[[Settings], Iterator[Finding]] = _none
    check_server: Callable[[Settings], AsyncIterator[Finding]] = _nothing
    is_public: bool = True


def transport_kind(settings: Settings) -> TransportKind:
    """Returns the transport in use. The others are not imported."""
    kind: TransportKind = import_module(f"digest.service.transports.{settings.delivery.transport}").KIND
    return kind
