"""The setup of the message writer, and functions that build both from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from digest.config.package_data import templates_folder
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import SenderIdentity
from digest.pipeline.rendering import Write
from digest.storage.values import Mailing

if TYPE_CHECKING:
    from digest.config.settings import Settings  # not for a worker: it then starts in half the time
    from digest.mail.rendering.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSetup:
    """What the writer needs. `templates` is the operator's folder, `base_url` that of the web pages."""

    sender_identity: SenderIdentity
    templates: Path | None = None
    base_url: str | None = None


def writer_setup_for(settings: "Settings") -> WriterSetup:
    """Builds the writer's setup. The contact is `mail.contact`, else the operator, else the sender."""
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
    """Returns a function that builds messages from the templates.

    Raises `ConfigurationError` if the operator's templates cannot be used. The templates of this project are
    read only when the first message is written.
    """
    writer = cache(partial(build_mail_writer, writer_setup, links))
    if writer_setup.templates:
        writer()
    return lambda mailing: writer().write(mailing)


def build_mail_writer(
    writer_setup: WriterSetup, links: Callable[[Mailing], Links] = lambda mailing: NO_LINKS
) -> "Writer":
    """Returns the writer itself, which can also show the content of a message. Raises as `build_writer`."""
    # Imported late: a run that writes no message itself needs neither the templates nor the TeX tables.
    from digest.mail.rendering.renderer import Renderer
    from digest.mail.rendering.template_check import try_out
    from digest.mail.rendering.writer import Writer

    own = writer_setup.templates
    folders = (own, templates_folder()) if own else (templates_folder(),)
    writer = Writer(Renderer(*folders), writer_setup.sender_identity, links)
    if own:
        try_out(writer)
    return writer
