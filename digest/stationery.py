"""From settings to the writer of messages: templates, letterhead, and where mails lead."""

from collections.abc import Callable

from digest.drafting import Write
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Letterhead
from digest.mail.rendering import Renderer
from digest.mail.sample import try_out
from digest.mail.writing import Writer
from digest.resources import templates_folder
from digest.settings import Settings
from digest.store import Mailing


def writer_of(settings: Settings, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS) -> Write:
    """Builds messages by the templates. Raises `ConfigurationError` when those cannot be used."""
    return mail_writer(settings, links).write


def mail_writer(settings: Settings, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS) -> Writer:
    """The writer itself, which can also show what is in a message. Raises as `writer_of` does."""
    own = settings.mail.templates
    folders = (own, templates_folder()) if own else (templates_folder(),)
    writer = Writer(Renderer(*folders), letterhead_of(settings), links)
    if own:
        try_out(writer)
    return writer


def letterhead_of(settings: Settings) -> Letterhead:
    """Replies go to the operator where the contact is an address, else to the sender."""
    contact = settings.arxiv.contact
    return Letterhead(
        sender=settings.smtp.sender,
        sender_name=settings.smtp.sender_name,
        contact=contact if contact and not contact.startswith("http") else settings.smtp.sender,
    )
