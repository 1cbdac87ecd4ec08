"""What messages are written with, and from settings to that and to their writer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from digest.config.package_data import templates_folder
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import Letterhead
from digest.pipeline.render_queue import Write
from digest.storage.values import Mailing

if TYPE_CHECKING:
    from digest.config.settings import Settings  # a scribe does without, and begins in half the time
    from digest.mail.rendering.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationery:
    """What every mail is written with. `templates` are the operator's own, `base_url` that of the pages."""

    letterhead: Letterhead
    templates: Path | None = None
    base_url: str | None = None


def stationery_of(settings: "Settings") -> Stationery:
    """Subscribers write to `mail.contact`, else to the operator, else to the sender."""
    return Stationery(
        letterhead=Letterhead(
            sender=settings.smtp.sender,
            sender_name=settings.smtp.sender_name,
            bounce_address=settings.smtp.bounce_address,
            contact=settings.mail.contact or settings.operator.email or settings.smtp.sender,
        ),
        templates=settings.mail.templates,
        base_url=settings.web.base_url,
    )


def writer_of(stationery: Stationery, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS) -> Write:
    """Builds messages by the templates. Raises `ConfigurationError` when the operator's cannot be used.

    Those of this project are not read before there is something to write.
    """
    writer = cache(partial(mail_writer, stationery, links))
    if stationery.templates:
        writer()
    return lambda mailing: writer().write(mailing)


def mail_writer(
    stationery: Stationery, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS
) -> "Writer":
    """The writer itself, which can also show what is in a message. Raises as `writer_of` does."""
    # A run with nothing to write, or whose scribe writes, does without the templates and the tables of TeX.
    from digest.mail.rendering.renderer import Renderer
    from digest.mail.rendering.template_check import try_out
    from digest.mail.rendering.writer import Writer

    own = stationery.templates
    folders = (own, templates_folder()) if own else (templates_folder(),)
    writer = Writer(Renderer(*folders), stationery.letterhead, links)
    if own:
        try_out(writer)
    return writer
