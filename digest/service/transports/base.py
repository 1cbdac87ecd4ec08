"""What there is to know about a transport, and the one that the settings name."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from digest.config.settings import Settings
from digest.mail.rate_limit import UNLIMITED, Limits
from digest.mail.transport import Transport
from digest.service.finding import Finding


def _none(settings: Settings) -> Iterator[Finding]:
    yield from ()


async def _nothing(settings: Settings) -> AsyncIterator[Finding]:
    for finding in _none(settings):
        yield finding


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportKind:
    """A way by which mails may leave. Its name is that of its module, and stands in `TRANSPORTS`.

    `build` opens nothing yet. `label` ends the sentence "3 digests sent", and `summary` is a sentence of the
    doctor. `limits` are those of the server. `check_files` looks at this machine, `check_server` at others.
    `is_public`: mails go out to the world, so the doctor looks at the sender's domain too.
    """

    build: Callable[[Settings], Transport]
    label: Callable[[Settings], str]
    summary: Callable[[Settings], str]
    limits: Callable[[Settings], Limits] = lambda settings: UNLIMITED
    check_files: Callable[[Settings], Iterator[Finding]] = _none
    check_server: Callable[[Settings], AsyncIterator[Finding]] = _nothing
    is_public: bool = True


def transport_kind(settings: Settings) -> TransportKind:
    """The transport in use. Others are not imported."""
    kind: TransportKind = import_module(f"digest.service.transports.{settings.delivery.transport}").KIND
    return kind
