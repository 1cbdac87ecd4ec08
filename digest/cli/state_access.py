"""Functions that several commands use: a subscriber, the state, arXiv's client, the progress line."""

import logging
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from digest.config.parsing import address_key, is_channel, parse_address
from digest.errors import ConfigurationError, StateError
from digest.subscribers.entries import unknown_subscriber
from digest.subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from digest.config.settings import Settings
    from digest.model.paper import ArxivId, Paper
    from digest.sources.http_client import PoliteClient
    from digest.storage.base import Store
    from digest.storage.factory import State

_PATIENCE = timedelta(minutes=1)
"""How long an interactive command waits for an answer of arXiv."""


def subscriber_called(email: str, subscribers: Sequence[Subscriber], place: str) -> Subscriber:
    """The one of `subscribers`, who are at `place`. Raises `ConfigurationError` if there is none."""
    key = address_key(email if is_channel(email) else parsed_address(email))
    for subscriber in subscribers:
        if address_key(subscriber.email) == key:
            return subscriber
    raise unknown_subscriber(email, place, (subscriber.email for subscriber in subscribers))


def parsed_address(email: str) -> str:
    """The address that was typed. Raises `typer.BadParameter` if it is none."""
    try:
        return parse_address(email)
    except ValueError as error:
        raise typer.BadParameter(f"{email}: {error}") from error


def refuse_keyword(email: str | None) -> None:
    """Raises `typer.BadParameter` for a keyword that stands where an address is expected."""
    if email and "@" not in email:
        raise typer.BadParameter(
            f"{email}: must be the address of a subscriber; to try a keyword: -k {shlex.quote(email)}"
        )


def subscriber_named(settings: "Settings", email: str) -> Subscriber:
    """The subscriber with this address. Raises `ConfigurationError` if there is none."""
    from digest.service.directory import directory_of

    directory = directory_of(settings)
    if found := directory.find(parsed_address(email)):
        return found
    raise unknown_subscriber(email, directory.label, (entry["email"] for entry in directory.entries()))


def open_existing(settings: "Settings") -> "AbstractContextManager[Store]":
    """The state, also while a daemon runs. Raises `StateError` if there is none yet."""
    from digest.storage.factory import open_store

    return open_store(existing_state(settings))


def existing_state(settings: "Settings") -> "State":
    """Where the state is. Raises `StateError` if there is none yet."""
    from digest.storage.factory import is_there

    if not is_there(settings.state):
        raise StateError(str(settings.state), "does not exist; for the state of the service set DIGEST_STATE")
    return settings.state


@asynccontextmanager
async def open_asking(settings: "Settings") -> "AsyncIterator[PoliteClient]":
    """For an interactive command: gives up after a minute, and prints the progress at a terminal."""
    from digest.service.bootstrap import client_settings_for, open_client

    async with open_client(settings, client_settings_for(settings, patience=_PATIENCE)) as client:
        client.notify = print_note
        yield client


def fetch_paper(settings: "Settings", arxiv_id: "ArxivId") -> "Paper":
    """The paper from arXiv. Raises `SourceError`, and `ConfigurationError` if arXiv has none."""
    import asyncio

    from digest.sources.arxiv.search_api import SearchApi

    async def ask() -> "Paper | None":
        async with open_asking(settings) as client:
            return await SearchApi(client, settings.arxiv.api_url).paper(arxiv_id)

    with progress() as notice:
        notice(f"asking arXiv for {arxiv_id}")
        paper = asyncio.run(ask())
    if paper is None:
        raise ConfigurationError(
            f"arXiv has no paper {arxiv_id}: it is not announced yet, or the identifier is wrong"
        )
    return paper


def print_note(text: str) -> None:
    """Prints a failure at once, at a terminal only; a log or a mail needs just the outcome."""
    if sys.stderr.isatty() and logging.getLogger().level < logging.ERROR:
        typer.echo(f"note: {text}", err=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Shows the current step at a terminal; elsewhere nothing."""
    if not sys.stderr.isatty() or logging.getLogger().level >= logging.ERROR:
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)
