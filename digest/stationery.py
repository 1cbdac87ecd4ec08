"""What messages are written with, and from settings to that and to their writer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from digest.drafting import Write
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Letterhead
from digest.mail.rendering import Renderer
from digest.mail.sample import try_out
from digest.mail.writing import Writer
from digest.resources import templates_folder
from digest.store import Mailing

if TYPE_CHECKING:  # a scribe does without, and begins in half the time
    from digest.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationery:
    """What every mail is written with. `templates` are the operator's own, `base_url` that of the pages."""

    letterhead: Letterhead
    templates: Path | None = None
    base_url: str | None = None


def stationery_of(settings: "Settings") -> Stationery:
    """Replies go to the operator where the contact is an address, else to the sender."""
    contact = settings.arxiv.contact
    return Stationery(
        letterhead=Letterhead(
            sender=settings.smtp.sender,
            sender_name=settings.smtp.sender_name,
            contact=contact if contact and not contact.startswith("http") else settings.smtp.sender,
        ),
        templates=settings.mail.templates,
        base_url=settings.web.base_url,
    )


def writer_of(stationery: Stationery, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS) -> Write:
    """Builds messages by the templates. Raises `ConfigurationError` when those cannot be used."""
    return mail_writer(stationery, links).write


def mail_writer(
    stationery: Stationery, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS
) -> Writer:
    """The writer itself, which can also show what is in a message. Raises as `writer_of` does."""
    own = stationery.templates
    folders = (own, templates_folder()) if own else (templates_folder(),)
    writer = Writer(Renderer(*folders), stationery.letterhead, links)
    if own:
        try_out(writer)
    return writer
