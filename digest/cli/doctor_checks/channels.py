"""The channels: who can read their secrets, and whether their addresses can be used. Nothing is sent."""

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from digest.channels.addresses import is_public
from digest.channels.base import Outcome
from digest.channels.channel import Channel, Kind, load_channels
from digest.channels.chat.service import Chat
from digest.config.settings import Settings
from digest.errors import ConfigurationError
from digest.model.paper import one_line
from digest.service.finding import Finding, failed, ok, warning, writable

_PATIENCE = 10.0


async def check_channels(
    settings: Settings, environ: Mapping[str, str], file: Path | None
) -> AsyncIterator[Finding]:
    """Checks each channel. An address, which is a secret, is in no finding."""
    try:
        channels = load_channels(settings, environ, file)
    except ConfigurationError as error:
        for problem in error.problems:
            yield failed("configuration", one_line(problem), "correct it: digest docs channels")
        return
    for finding in _exposed(settings, channels, file):
        yield finding
    for channel in channels:
        yield await _check(channel)


def _exposed(settings: Settings, channels: tuple[Channel, ...], file: Path | None) -> Iterator[Finding]:
    """Only the user of the service may read what holds an address or a secret."""
    files = {path for one in channels for path in (one.url_file, one.secret_file) if path and path.is_file()}
    if file and any({"url", "secret"} & one.keys() for one in settings.channel):
        files.add(file)
    for path in sorted(files):
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            said = (
                f"{path} holds the address or the secret of a channel, and every user can read or change it"
            )
            yield warning("channel secrets", said, f"chmod o-rw {path}")


async def _check(channel: Channel) -> Finding:
    name, trial = f"channel {channel.name}", f"digest channels test {channel.name} sends a trial"
    if channel.folder:
        return writable(name, channel.folder)
    if channel.kind is Kind.CHAT and channel.url:
        answer = await Chat(url=channel.url.get_secret_value()).check()
        if answer.outcome is Outcome.SENT:
            return ok(name, f"{answer.reply}; {trial}")
        return failed(name, answer.reply, "correct its url: digest docs channels")
    return await _check_webhook(channel, name, trial)


async def _check_webhook(channel: Channel, name: str, trial: str) -> Finding:
    parts = urlsplit(channel.url.get_secret_value() if channel.url else "")
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
            )
    except (OSError, TimeoutError, UnicodeError):
        return failed(name, "the name of the server is not found", "correct its url")
    if not channel.allow_private and not all(is_public(str(one[4][0])) for one in found):
        return failed(
            name,
            "its name resolves to this machine or to a private network",
            "allow_private = true allows it, if it is yours",
        )
    return ok(name, f"the name of the server is found; {trial}")
