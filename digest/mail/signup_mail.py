"""The mails to an address that somebody typed when they signed up.

Nothing in them was written by that person, who may be anybody: no keyword, no name, not even the address.
"""

from hashlib import sha256
from html import escape
from textwrap import fill

from digest.mail.message import SenderIdentity, alternative, quoted_printable
from digest.mail.plain_mail import own_headers
from digest.mail.transport import Outgoing
from digest.storage.signups import Signup

_WIDTH = 74

_ASKED = "Somebody asked for digests of new arXiv papers to be sent to this address."

_NOT_YOU = "If it was not you, do nothing."

_CONFIRM = (
    "Confirm your arXiv digest",
    f"{_ASKED} If that was you, open this page and press its button:",
    "Open the page",
    (
        "The link is valid for 48 hours. If it was not you, do nothing: you get no digest, and the address is"
        " deleted after that time."
    ),
)
_KNOWN = (
    "You get an arXiv digest already",
    f"{_ASKED} It is subscribed already, and nothing was changed. To change what you get, open your page:",
    "Your preferences",
    (f"{_NOT_YOU} Do not forward this mail: anybody who has the link can change your preferences."),
)
_NO_PAGE_YET = (
    f"{_ASKED} It is subscribed already, and nothing was changed. Your first digest has a link to your"
    " preferences."
)

_HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{subject}</title>
<style>
@media (prefers-color-scheme: dark) {{
  .ground {{ background: #141413 !important; }}
  .sheet {{ background: #1e1d1b !important; color: #d6d2ca !important; }}
  .title {{ color: #f1eee8 !important; }}
  .soft {{ color: #a8a399 !important; }}
}}
</style>
</head>
<body class="ground" style="margin:0;padding:0;background:#f4f2ee">
<table role="presentation" class="ground" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="background:#f4f2ee">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px">
<tr><td class="sheet" style="padding:28px 24px;background:#ffffff;font:16px/25px Charter,Georgia,serif;\
color:#3d3b37;text-align:left">
<h1 class="title" style="margin:0 0 14px;font-size:26px;line-height:34px;color:#1c1b19">{subject}</h1>
<p style="margin:0 0 20px">{what}</p>
{button}<p class="soft" style="margin:0 0 14px;{small}">{rest}</p>
<p class="soft" style="margin:0;{small}">Questions: {contact}</p>
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""
_SMALL = "font-size:14px;line-height:21px;color:#64615a"
_BUTTON = """\
<p style="margin:0 0 20px"><a href="{url}" style="display:inline-block;padding:13px 26px;background:#b31b1b;\
border-radius:4px;color:#ffffff;font:bold 16px/22px sans-serif;text-decoration:none">{label}</a></p>
<p class="soft" style="margin:0 0 20px;{small};word-break:break-all">{url}</p>
"""


def write_signup_mail(signup: Signup, sender_identity: SenderIdentity, base_url: str) -> Outgoing:
    """The mail with the link that confirms a sign-up; the same bytes each time."""
    subject, what, label, rest = _CONFIRM
    url = f"{base_url}/c/{signup.token}"
    return _written(signup, sender_identity, subject, what=what, url=url, label=label, rest=rest)


def write_known_mail(signup: Signup, sender_identity: SenderIdentity, manage: str | None) -> Outgoing:
    """The mail to an address that is subscribed already; `manage` is the page of its preferences."""
    subject, what, label, rest = _KNOWN
    if manage is None:
        return _written(signup, sender_identity, subject, what=_NO_PAGE_YET, url="", label="", rest=_NOT_YOU)
    return _written(signup, sender_identity, subject, what=what, url=manage, label=label, rest=rest)


def _written(
    signup: Signup, identity: SenderIdentity, subject: str, *, what: str, url: str, label: str, rest: str
) -> Outgoing:
    token = f"s{signup.number}.{signup.mailed_at:%Y%m%d%H%M%S}"
    boundary = "=_" + sha256(token.encode()).hexdigest()[:32]
    headers = (
        *own_headers(identity, to=signup.email, subject=subject, written_at=signup.mailed_at, token=token),
        ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    )
    parts = (fill(what, _WIDTH), url, fill(rest, _WIDTH), f"Questions: {identity.contact}")
    text = "\n\n".join(part for part in parts if part)
    html = _HTML.format(
        subject=escape(subject),
        what=escape(what),
        button=_BUTTON.format(url=escape(url), label=escape(label), small=_SMALL) if url else "",
        rest=escape(rest),
        small=_SMALL,
        contact=escape(identity.contact),
    )
    message = alternative(
        headers, boundary, text=[quoted_printable(f"{text}\n")], html=[quoted_printable(html)]
    )
    return Outgoing(sender=identity.sender, recipient=signup.email, message=message, token=token)
