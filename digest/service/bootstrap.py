"""Builds the working parts from the settings: sources, transport, and the cycle with all that it needs."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from platform import node
from tempfile import gettempdir
from urllib.parse import urlsplit

from digest import __version__
from digest.channels.channel import Channel, load_channels
from digest.channels.services import service_of
from digest.config.database_url import DatabaseUrl
from digest.config.file_lock import make_private_folder
from digest.config.loader import Defaults, Settings, find_config, load_settings, state_folder
from digest.config.parsing import is_loopback, parse_toml, read_text
from digest.errors import ConfigurationError
from digest.mail.links import Links, links_for
from digest.mail.transport import Transport
from digest.pipeline.coordinator import DeliveryCoordinator, RemoteShare
from digest.pipeline.cycle import Cycle
from digest.pipeline.serve_channel import ChannelJob
from digest.service.directory import directory_of
from digest.service.mail_setup import build_writer, writer_setup_for
from digest.service.notify_operator import notify_operator
from digest.service.transports.base import transport_kind
from digest.sources.arxiv.daily_feed import DailyFeed
from digest.sources.arxiv.oai_pmh import OaiPmh
from digest.sources.arxiv.search_api import SearchApi
from digest.sources.base import Source
from digest.sources.http_client import ClientSettings, PoliteClient
from digest.sources.rate_limiter import RateLimiter
from digest.storage.base import Store
from digest.storage.factory import make_folder, open_leases
from digest.storage.values import Mailing
from digest.subscribers.directory import SubscriberDirectory
from digest.subscribers.entry_parser import load_subscribers
from digest.subscribers.file import file_version
from digest.subscribers.stored import EntryStore
from digest.subscribers.subscriber import Subscriber, entry_mark

_RATE_LIMITER_FILE = "arxiv-requests"

Fingerprint = tuple[object, ...]
"""The versions of digest.toml and of the subscribers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The settings and the subscribers, as read at one moment.

    `config_file` is the digest.toml in use, if there is one. `fingerprint` is taken before they are read, so
    that no edit is missed between reading and watching them. `content` is a hash of the file of subscribers
    and of the channels, if several hosts may have different ones.
    """

    config_file: Path | None
    settings: Settings
    subscribers: tuple[Subscriber, ...]
    fingerprint: Fingerprint
    content: str | None = None
    channels: tuple[Channel, ...] = ()

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.settings.arxiv.lookback_days)

    def fingerprint_now(self, store: EntryStore | None = None) -> Fingerprint:
        """Raises `StateError` if the subscribers are in the database and cannot be read."""
        return (file_version(self.config_file), directory_of(self.settings, store).version())


def load_setup(
    config: Path | None,
    environ: Mapping[str, str] = os.environ,
    *,
    store: EntryStore | None = None,
    converts: bool = False,
) -> Setup:
    """Reads settings and subscribers. A `store` that is open already is used for subscribers in the database.

    With `converts`, a database of an older version is converted to read them, as a run does it anyway.
    Raises `ConfigurationError` with all problems of both, and `StateError` if the database cannot be read.
    """
    try:
        config_file = find_config(config, environ)
        config_version = file_version(config_file)
        settings = load_settings(config, environ)
    except ConfigurationError as error:
        others = problems_of_subscribers(config, environ)
        problems = dict.fromkeys((*error.problems, *others))
        raise ConfigurationError(*problems, is_passing=error.is_passing and not others) from error
    directory = directory_of(settings, store, converts=converts)
    fingerprint = (config_version, directory.version())
    subscribers, channels = _entries(directory, settings, environ, config_file)
    return Setup(
        config_file=config_file,
        settings=settings,
        subscribers=subscribers,
        fingerprint=fingerprint,
        content=_content(settings, directory.content(), channels),
        channels=channels,
    )


def _entries(
    directory: SubscriberDirectory, settings: Settings, environ: Mapping[str, str], file: Path | None
) -> tuple[tuple[Subscriber, ...], tuple[Channel, ...]]:
    """Returns subscribers and channels. Raises `ConfigurationError` with the problems of both."""
    problems: list[ConfigurationError] = []
    subscribers: tuple[Subscriber, ...] = ()
    channels: tuple[Channel, ...] = ()
    try:
        channels = load_channels(settings, environ, file)
    except ConfigurationError as error:
        problems.append(error)
    try:
        subscribers = directory.load()
    except ConfigurationError as error:
        problems.append(error)
    if problems:
        raise ConfigurationError(
            *(text for error in problems for text in error.problems),
            is_passing=all(error.is_passing for error in problems),
        )
    return subscribers, channels


def _content(settings: Settings, of_file: str | None, channels: Sequence[Channel]) -> str | None:
    """Returns a hash of what each host has in files of its own. Without channels it is that of the file."""
    if not isinstance(settings.state, DatabaseUrl) or (of_file is not None and not channels):
        return of_file
    marks = sorted((one.name, one.kind.value, one.target, entry_mark(one.follower).hex()) for one in channels)
    return blake2b(repr((of_file, marks)).encode(), digest_size=16).hexdigest()


def problems_of_subscribers(config: Path | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the problems of the file of subscribers, for a digest.toml that is not valid."""
    try:
        file = find_config(config, environ)
        named = environ.get("DIGEST_SUBSCRIBERS") or _named_in(file)
        path = Path(named) if named else (file.parent if file else Path()) / "subscribers.toml"
        if path.is_file():
            load_subscribers(path, Defaults())
    except ConfigurationError as error:
        return error.problems
    return ()


def _named_in(file: Path | None) -> str | None:
    """The path in digest.toml, if that can be read."""
    try:
        named = parse_toml(read_text(file), file).get("subscribers") if file else None
    except (ConfigurationError, OSError):
        return None
    return str(file.parent / named) if file and isinstance(named, str) else None


def client_settings_for(settings: Settings, *, patience: timedelta | None = None) -> ClientSettings:
    """Returns the HTTP settings for requests to arXiv."""
    arxiv = settings.arxiv
    return ClientSettings(
        contact=arxiv.contact, version=__version__, retry_pause=arxiv.retry_pause, patience=patience
    )


def rate_limiter_file(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the file that the rate limiter shares between processes.

    All processes of a user share one file, even if they use different states. The file lies beside the state
    in three cases: the state belongs to another user (root may use it), the user has no writable folder, or
    the arXiv is on this machine and has its own rate limit.
    """
    beside = _folder_of(settings, environ)
    own = state_folder(environ)
    if own and not _is_on_this_machine(settings.arxiv.api_url) and _is_ours(beside):
        try:
            make_private_folder(own)
        except OSError:
            own = None
        if own and os.access(own, os.W_OK | os.X_OK) and _is_ours(own):
            return own / _RATE_LIMITER_FILE
    return beside / _RATE_LIMITER_FILE


def _folder_of(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Returns the folder of the state file; for a database, a folder of this user."""
    if isinstance(settings.state, Path):
        return settings.state.parent
    return state_folder(environ) or Path(gettempdir()) / f"arxiv-digest-{os.geteuid()}"


def _is_ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return True
    except OSError:
        return False


@asynccontextmanager
async def open_client(
    settings: Settings, client_settings: ClientSettings | None = None
) -> AsyncIterator[PoliteClient]:
    """Opens the one HTTP client for all requests to arXiv."""
    interval = settings.arxiv.interval_for(settings.arxiv.api_url)
    make_folder(_folder_of(settings, os.environ))
    with open_leases(settings.state) as hosts:
        rate_limiter = RateLimiter(rate_limiter_file(settings), interval, hosts=hosts)
        async with PoliteClient(client_settings or client_settings_for(settings), rate_limiter) as client:
            yield client


def build_sources(settings: Settings, client: PoliteClient) -> tuple[Source, ...]:
    """Returns arXiv's interfaces. The planner prefers the first of two interfaces with the same cost.

    An arXiv on this machine is never mixed with the real one: if `api_url` is local, only local interfaces
    are used, else only remote ones.
    """
    arxiv = settings.arxiv
    found: tuple[tuple[str, Source], ...] = (
        (arxiv.api_url, SearchApi(client, arxiv.api_url)),
        (arxiv.oai_url, OaiPmh(client, arxiv.oai_url)),
        (arxiv.feed_url, DailyFeed(client, arxiv.feed_url)),
    )
    side = _is_on_this_machine(arxiv.api_url)
    return tuple(source for url, source in found if _is_on_this_machine(url) == side)


def _is_on_this_machine(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname)


def build_cycle(
    setup: Setup,
    store: Store,
    *,
    clock: Callable[[], datetime],
    client: PoliteClient | None = None,
    links: Callable[[Mailing], Links] | None = None,
    is_dry: bool = False,
    notice: Callable[[str], None] = lambda text: None,
    stop: asyncio.Event | None = None,
    composing: Callable[[], AbstractAsyncContextManager[object]] = nullcontext,
) -> Cycle:
    """Builds a cycle. Without a `client` it cannot fetch. With `is_dry` it sends nothing.

    `composing` is entered while the digest of a channel is composed.

    Calling its `writer` raises `ConfigurationError` if the operator's templates cannot be used.
    """
    settings = setup.settings
    writer_setup = writer_setup_for(settings)
    links = links or links_for(settings.web.base_url, store)
    kind = transport_kind(settings)
    transport = kind.build(settings)
    stop = stop or asyncio.Event()
    channels = tuple(
        ChannelJob(
            store=store,
            channel=one,
            service=None if is_dry else service_of(one),
            lookback=setup.lookback,
            clock=clock,
            links=links,
            stop=stop,
            composing=composing,
        )
        for one in setup.channels
    )

    async def notify(
        limited: Transport, subscribers: Sequence[Subscriber], brakes: Sequence[str], now: datetime
    ) -> None:
        await notify_operator(
            store,
            limited,
            subscribers,
            writer_setup.sender_identity,
            settings.operator,
            brakes=brakes,
            channels=setup.channels,
            now=now,
        )

    def start_workers(
        coordinator: DeliveryCoordinator,
    ) -> AbstractAsyncContextManager[Sequence[RemoteShare]]:
        from digest.service.worker_pool import WorkerPool, worker_count  # late: seldom are there many mails

        pool = WorkerPool(
            count=worker_count(settings.delivery.workers, transport),
            state=settings.state,
            transport=transport,
            writer_setup=writer_setup,
            limits=kind.limits(settings),
        )
        return pool(coordinator)

    return Cycle(
        sources=build_sources(settings, client) if client else (),
        store=store,
        transport=None if is_dry else transport,
        writer=cache(partial(build_writer, writer_setup, links)),
        subscribers=setup.subscribers,
        file=str(setup.fingerprint),
        finds_renames=isinstance(settings.subscribers, Path),
        channels=channels,
        content=setup.content,
        host=node(),
        lookback=setup.lookback,
        clock=clock,
        limits=kind.limits(settings),
        start_workers=start_workers,
        sender_identity=writer_setup.sender_identity,
        base_url=settings.web.base_url,
        notify_operator=notify,
        notice=notice,
        stop=stop,
    )
