"""What messages are written with, and from settings to that and to their writer."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from digest.config.package_data import templates_folder
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import SenderIdentity
from digest.pipeline.render_queue import Write
from digest.storage.values import Mailing

if TYPE_CHECKING:
    from digest.config.settings import Settings  # a worker does without, and begins in half the time
    from digest.mail.rendering.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSetup:
    """What every mail is written with. `templates` are the operator's own, `base_url` that of the pages."""

    sender_identity: SenderIdentity
    templates: Path | None = None
    base_url: str | None = None


def writer_setup_for(settings: "Settings") -> WriterSetup:
    """Subscribers write to `mail.contact`, else to the operator, else to the sender."""
    return WriterSetup(
        sender_identity=SenderIdentity(
            sender=settings.smtp.sender,
            sender_name=settings.smtp.sender_name,
            bounce_address=settings.smtp.bounce_address,
            contact=settings.mail.contact or settings.operator.email or settings.smtp.sender,
        ),
        templates=settings.mail.templates,
        base_url=settings.web.base_url,
    )


def build_writer(
    writer_setup: WriterSetup, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS
) -> Write:
    """Builds messages by the templates. Raises `ConfigurationError` when the operator's cannot be used.

    Those of this project are not read before there is something to write.
    """
    writer = cache(partial(build_mail_writer, writer_setup, links))
    if writer_setup.templates:
        writer()
    return lambda mailing: writer().write(mailing)


def build_mail_writer(
    writer_setup: WriterSetup, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS
) -> "Writer":
    """The writer itself, which can also show what is in a message. Raises as `build_writer` does."""
    # A run with nothing to write, or whose worker writes, does without the templates and the tables of TeX.
    from digest.mail.rendering.renderer import Renderer
    from digest.mail.rendering.template_check import try_out
    from digest.mail.rendering.writer import Writer

    own = writer_setup.templates
    folders = (own, templates_folder()) if own else (templates_folder(),)
    writer = Writer(Renderer(*folders), writer_setup.sender_identity, links)
    if own:
        try_out(writer)
    return writer
