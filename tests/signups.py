"""What tests do to sign up: they fill the form, and read the mails."""

import re
from collections.abc import Mapping
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

from digest.mail.message import SenderIdentity
from digest.mail.transport import Outgoing
from digest.pipeline.signup_mails import send_signup_mails
from tests.fakes import FakeTransport
from tests.forms import PageForm, form_with, submitted
from tests.integration.web_site import BASE, Answer, Town

NEW = "cy@example.org"
IDENTITY = SenderIdentity(sender="digest@example.org", contact="help@example.org")


async def filled(town: Town, url: str = "/join") -> PageForm:
    return form_with((await town.get(url)).body, "Sign up")


async def send(
    town: Town,
    changes: Mapping[str, str] | None = None,
    *,
    button: str = "Sign up",
    form: PageForm | None = None,
    seconds: float = 30,
    network: str = "192.0.2.1",
) -> Answer:
    """Fills the form, and presses the button some seconds after it was opened. `changes`: see `submitted`."""
    form = form or await filled(town)
    town.now += timedelta(seconds=seconds)
    fields = {"email": NEW, "k-new-1": "black tea", **(changes or {})}
    return await town.ask(
        "POST", form.action, data=submitted(form, button, **fields), headers={"X-Forwarded-For": network}
    )


async def mailed(town: Town, transport: FakeTransport | None = None) -> list[Outgoing]:
    """The mails that are due, which are sent."""
    transport = transport or FakeTransport()
    before = len(transport.taken)
    await send_signup_mails(town.store, transport, IDENTITY, BASE, town.subscribers, now=town.now)
    return transport.taken[before:]


def read(mail: Outgoing) -> EmailMessage:
    message = message_from_bytes(mail.message, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def texts_of(mail: Outgoing) -> tuple[str, str]:
    """The plain text and the HTML."""
    plain, html = read(mail).iter_parts()
    return plain.get_content(), html.get_content()


def link_in(mail: Outgoing) -> str:
    found = re.search(r"https://\S+", texts_of(mail)[0])
    assert found
    return found[0]
