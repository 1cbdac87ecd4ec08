"""The short mails that confirm changes and requests on the web pages."""

from collections.abc import Sequence

from digest.mail.message import SenderIdentity
from digest.mail.plain_mail import plain_mail
from digest.mail.transport import Outgoing
from digest.storage.confirmations import Confirmation, PageChange

_SUBJECTS = {
    PageChange.LEFT: "You are unsubscribed from the arXiv digest",
    PageChange.CHANGED: "Your arXiv digest was changed",
    PageChange.PAUSED: "Your arXiv digest is paused",
    PageChange.RETURN: "Subscribe to the arXiv digest again?",
    PageChange.ADDRESS: "Is this your new address for the arXiv digest?",
    PageChange.MOVING: "Your arXiv digest is to go to another address",
    PageChange.LINK: "The link to your arXiv digest",
    PageChange.ERASE: "Delete all about you from the arXiv digest?",
}

_TEXTS = {
    PageChange.LEFT: (
        "{email} gets no more digests of new arXiv papers: somebody followed a link to\n"
        "unsubscribe that was in one of your mails.\n\n"
        "If that was not you, or by mistake, this page takes it back:"
    ),
    PageChange.CHANGED: (
        "Somebody changed what {email} gets: on your page of preferences, or an\n"
        "administrator for you.\n\n"
        "{changes}\n\n"
        "If you do not want that, this page takes it back:"
    ),
    PageChange.PAUSED: (
        "On your page of preferences somebody chose a pause: for now, no digest goes\n"
        "to {email}. What comes meanwhile will be in the first one after it.\n\n"
        "If that was not you, or by mistake, this page takes it back:"
    ),
    PageChange.RETURN: (
        "On your page of preferences somebody asked for digests of new arXiv papers\n"
        "to be sent to {email} again.\n\n"
        "If that was you, press the button on this page; else nothing happens:"
    ),
    PageChange.ADDRESS: (
        "Somebody who gets digests of new arXiv papers wants them at {email}\n"
        "from now on.\n\n"
        "If that was you, press the button on this page within two days; else nothing\n"
        "happens, and no other mail comes:"
    ),
    PageChange.MOVING: (
        "On your page of preferences somebody asked for your digests of new arXiv\n"
        "papers to go to another address than {email}. A mail to that address\n"
        "asks its owner to confirm it.\n\n"
        "If that was not you, or by mistake, this page stops it, or takes it back,\n"
        "for two days:"
    ),
    PageChange.LINK: (
        "Somebody asked for the link to the preferences of {email}: keywords,\n"
        "times, pauses, and all that is stored. If that was not you, nobody else has\n"
        "the link, and nothing has changed.\n\n"
        "Keep this link to yourself:"
    ),
    PageChange.ERASE: (
        "On your page of preferences somebody asked for everything to be deleted that\n"
        "is stored about {email}. It cannot be brought back.\n\n"
        "If that was you, press the button on this page within two days; else nothing\n"
        "happens:"
    ),
}


def write_confirmation(
    one: Confirmation,
    sender_identity: SenderIdentity,
    base_url: str,
    changes: Sequence[str] = (),
    *,
    preferences_token: str | None = None,
) -> Outgoing:
    """The mail; the same bytes each time. Only its subscriber gets the link that undoes the change.

    `changes` are the lines that describe the change of a `CHANGED`. A `LINK` has that of the
    `preferences_token`.
    """
    token = f"c{one.number}.{one.written_at:%Y%m%d%H%M%S}"
    lines = (
        _TEXTS[one.change].format(email=one.mailed_to, changes="\n".join(f"- {line}" for line in changes)),
        f"{base_url}/p/{preferences_token}" if preferences_token else f"{base_url}/b/{one.token}",
        f"{_advice(one)}Questions: {sender_identity.contact}",
    )
    return plain_mail(
        sender_identity,
        "\n\n".join(lines) + "\n",
        to=one.mailed_to,
        subject=_SUBJECTS[one.change],
        written_at=one.written_at,
        token=token,
    )


def _advice(one: Confirmation) -> str:
    """Not for somebody who may be no subscriber."""
    if one.change is PageChange.ADDRESS:
        return ""
    return "Did others get your mails? Make new links on your page of preferences.\n"
