"""The service that takes the digests of a channel, by its kind."""

from collections.abc import Callable, Mapping

from pydantic import SecretStr

from digest.channels.base import Service
from digest.channels.channel import Channel, Kind


def service_of(channel: Channel) -> Service:
    """Builds it. Nothing is opened or asked before the first digest.

    The modules are imported late: an installation without channels needs none of them.
    """
    return _SERVICES[channel.kind](channel)


def _webhook(channel: Channel) -> Service:
    from digest.channels.webhook import Webhook

    return Webhook(
        url=_shown(channel.url), secret=_shown(channel.secret), allow_private=channel.allow_private
    )


def _chat(channel: Channel) -> Service:
    from digest.channels.chat.service import Chat

    return Chat(url=_shown(channel.url))


def _folder(channel: Channel) -> Service:
    from digest.channels.folder import Folder

    assert channel.folder  # noqa: S101 - `load_channels` sees to it
    return Folder(path=channel.folder, with_abstracts=channel.follower.length != "short")


def _shown(secret: SecretStr | None) -> str:
    assert secret  # noqa: S101 - `load_channels` sees to it
    return secret.get_secret_value()


_SERVICES: Mapping[Kind, Callable[[Channel], Service]] = {
    Kind.WEBHOOK: _webhook,
    Kind.CHAT: _chat,
    Kind.FOLDER: _folder,
}
