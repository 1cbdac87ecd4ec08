"""What servers write when a mail comes back, each in its own form; words, names and addresses are ours."""

from base64 import b64encode
from textwrap import dedent

from tests import damage
from tests.notifications import SUBSCRIBER, TOKEN, returned

TO = f"bounce+{TOKEN}@lab.example"


def mail(
    headers: str, *parts: tuple[str, str], kind: str = "multipart/report; report-type=delivery-status"
) -> bytes:
    """Parts are each a type, perhaps with other headers, and a body."""
    inner = "".join(f"--=b0und\nContent-Type: {head}\n\n{dedent(body)}\n" for head, body in parts)
    head = dedent(headers).strip("\n")
    return f'{head}\nTo: {TO}\nContent-Type: {kind};\n\tboundary="=b0und"\n\n{inner}--=b0und--\n'.encode()


def status(words: str, code: str = "5.1.1", action: str = "failed", recipient: str = SUBSCRIBER) -> str:
    diagnostic = f"Diagnostic-Code: {words}\n" if words else ""
    return (
        f"Reporting-MTA: dns; mx.lab.example\n\nFinal-Recipient: rfc822; {recipient}\n"
        f"Action: {action}\nStatus: {code}\n{diagnostic}"
    )


DSN = "message/delivery-status"
DAEMON = "Return-Path: <>\nFrom: Mail Delivery <MAILER-DAEMON@mx.lab.example>\nSubject: Undelivered"
COPY = ("message/rfc822", returned())
TEXT = ("text/plain", f"Your mail to {SUBSCRIBER} was not delivered.\n")


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


DEAD: dict[str, bytes] = {
    "Postfix": mail(
        DAEMON,
        TEXT,
        (DSN, status(f"smtp; 550 5.1.1 <{SUBSCRIBER}>: nobody is called so here, user unknown")),
        COPY,
    ),
    "Postfix, its own mailbox": mail(DAEMON, TEXT, (DSN, status('x-postfix; unknown user: "reader"')), COPY),
    "Sendmail": mail(
        DAEMON,
        TEXT,
        (DSN, status(f"SMTP; 550 5.1.1 <{SUBSCRIBER}>... User unknown").replace("rfc822; ", "RFC822; ")),
        ("text/rfc822-headers", returned()),
    ),
    "Exim": mail(
        f"{DAEMON}\nX-Failed-Recipients: {SUBSCRIBER}",
        TEXT,
        (DSN, status("smtp; 550 5.1.1 no user of that name", "5.0.0")),
        COPY,
    ),
    "Exim, in prose": (
        f"Return-path: <>\nX-Failed-Recipients: {SUBSCRIBER}\nAuto-Submitted: auto-replied\n"
        f"From: Mail Delivery System <Mailer-Daemon@mx.lab.example>\nTo: {TO}\nSubject: returned\n\n"
        f"A mail of yours failed for good.\n\n  {SUBSCRIBER}\n    host mx.home.example [192.0.2.7]\n"
        f"    SMTP error from remote mail server after RCPT TO:<{SUBSCRIBER}>:\n"
        "    550 5.1.1 User unknown\n\n"
        f"------ a copy, with all its headers ------\n\n{returned()}"
    ).encode(),
    "qmail": (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.lab.example\nTo: {TO}\nSubject: failure notice\n\n"
        f"Hi. This is the qmail-send program at mx.lab.example.\nI could not deliver your mail.\n\n"
        f"<{SUBSCRIBER}>:\n192.0.2.7 does not like recipient.\nRemote host said: 550 5.1.1 User unknown\n\n"
        f"--- Below this line is a copy of the mail.\n\n{returned()}"
    ).encode(),
    "qmail, its own mailbox": (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@home.example\nTo: {TO}\nSubject: failure notice\n\n"
        f"Hi. This is the qmail-send program at home.example.\nIt did not work out.\n\n"
        f"<{SUBSCRIBER}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        f"--- Below this line is a copy of the mail.\n\n{returned()}"
    ).encode(),
    "Courier": mail(
        DAEMON,
        TEXT,
        (DSN, status("smtp; 550 User unknown.", "5.0.0")),
        ("text/rfc822-headers; charset=us-ascii", returned()),
    ),
    "OpenSMTPD": mail(
        DAEMON,
        (
            "text/plain; charset=us-ascii",
            (
                "    Hi!\n\n    This is the daemon.\n\n"
                f"    {SUBSCRIBER}: 550 5.1.1 <{SUBSCRIBER}>: no such user\n"
            ),
        ),
        (DSN, status("", "5.0.0")),
        COPY,
        kind="multipart/mixed",
    ),
    "Exchange": mail(
        DAEMON,
        TEXT,
        (
            DSN,
            status(
                "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
                "5.1.10",
            ),
        ),
        ("message/rfc822-headers", returned()),
    ),
    "Gmail": mail(
        DAEMON,
        TEXT,
        (
            DSN,
            status(
                "smtp; 550-5.1.1 The account that you tried to reach does not exist.\n 550 5.1.1 see our help"
            ),
        ),
        COPY,
    ),
    "Outlook.com": mail(
        DAEMON,
        TEXT,
        (
            DSN,
            status(
                "smtp;550 5.5.0 Requested action not taken: mailbox unavailable; user does not exist", "5.5.0"
            ),
        ),
        COPY,
    ),
    "Amazon SES": mail(
        "From: MAILER-DAEMON@eu.mail.example\nSubject: Delivery Status Notification (Failure)",
        TEXT,
        (DSN, status("smtp; 550 5.1.1 user unknown")),
        ("message/rfc822", "From: digest@lab.example\nMessage-ID: <other@eu.mail.example>\n"),
    ),
    "Yahoo": mail(
        DAEMON,
        TEXT,
        (
            DSN,
            status("smtp; 554 delivery error: This user doesn't have an account here (reader) [-5]", "5.0.0"),
        ),
        COPY,
    ),
    "Domino": mail(
        DAEMON,
        TEXT,
        (DSN, status("X-Notes; User reader (reader@home.example) not listed in Domino Directory")),
        COPY,
    ),
    "RFC 6533": mail(
        DAEMON,
        TEXT,
        (
            "message/global-delivery-status",
            status("smtp; 550 5.1.1 user unknown").replace(f"rfc822; {SUBSCRIBER}", f"utf-8; {SUBSCRIBER}"),
        ),
        ("message/global-headers", returned()),
    ),
    "base64": mail(
        DAEMON,
        TEXT,
        (f"{DSN}\nContent-Transfer-Encoding: base64", base64(status("smtp; 550 5.1.1 user unknown"))),
        ("message/rfc822\nContent-Transfer-Encoding: base64", base64(returned())),
    ),
    "quoted-printable": mail(
        DAEMON,
        TEXT,
        (f"{DSN}\nContent-Transfer-Encoding: quoted-printable", status("smtp; 550 5.1.1 user=20unkn=\nown")),
        COPY,
    ),
    "a blank before the colon": mail(
        DAEMON,
        TEXT,
        (DSN, status("smtp; 550 5.1.1 user unknown").replace(":", " :", 5)),
        COPY,
    ),
    "raw continuation lines": mail(
        DAEMON,
        TEXT,
        (
            DSN,
            status("smtp; 550-5.1.1 this mailbox\n550-5.1.1 does not exist:\n550 5.1.1 user unknown").replace(
                "Status: 5.1.1\n", ""
            )
            + "Status: 5.1.1\n",
        ),
        COPY,
    ),
    "no empty line between": mail(
        DAEMON, TEXT, (DSN, status("smtp; 550 5.1.1 user unknown").replace("\n\n", "\n")), COPY
    ),
    "a footer of a list around it": mail(
        DAEMON,
        (
            "multipart/report; boundary=inner",
            f"--inner\nContent-Type: {DSN}\n\n{status('smtp; 550 5.1.1 user unknown')}\n--inner--\n",
        ),
        ("text/plain", "This list has rules."),
        kind="multipart/mixed",
    ),
    "a boundary in pieces": mail(DAEMON, TEXT, (DSN, status("smtp; 550 5.1.1 user unknown")), COPY).replace(
        b'boundary="=b0und"', b'boundary*0="=b0";\n boundary*1*=%75nd'
    ),
}
"""Each says that the mailbox does not exist, beyond doubt."""

ALIVE: dict[str, bytes] = {
    "full behind a gateway": mail(DAEMON, TEXT, (DSN, status("smtp; 552 5.2.2 mailbox full", "5.0.0")), COPY),
    "full, and called unknown": mail(DAEMON, TEXT, (DSN, status("smtp; 550 5.2.2 over quota")), COPY),
    "blocked, and called unknown": mail(
        DAEMON, TEXT, (DSN, status("smtp; 550 5.7.1 [192.0.2.1] is blacklisted")), COPY
    ),
    "too many a minute": mail(
        DAEMON,
        TEXT,
        (DSN, status("smtp; 550 5.2.1 The user is receiving mail at a rate that prevents more", "5.2.1")),
        COPY,
    ),
    "the sender": mail(
        DAEMON,
        TEXT,
        (DSN, status("smtp; 550 5.1.0 Sender address rejected: User unknown in virtual table", "5.1.0")),
        COPY,
    ),
    "SPF": mail(DAEMON, TEXT, (DSN, status("smtp; 550 SPF check failed for lab.example", "5.1.1")), COPY),
    "a relay": mail(
        DAEMON,
        TEXT,
        (DSN, status("smtp; 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "5.1.1")),
        COPY,
    ),
    "expired": mail(
        DAEMON, TEXT, (DSN, status("smtp; 451 4.4.1 no answer from home.example", "4.4.7")), COPY
    ),
    "a loop": mail(DAEMON, TEXT, (DSN, status("smtp; 554 5.4.6 too many hops", "5.4.6")), COPY),
    "qmail, a full one": DEAD["qmail"].replace(b"550 5.1.1 User unknown", b"552 5.2.2 mailbox is full"),
    "qmail, an absent one": DEAD["qmail"].replace(b"550 5.1.1 User unknown", b"450 4.2.1 come back later"),
    "Exim, in prose, spam": DEAD["Exim, in prose"].replace(
        b"550 5.1.1 User unknown", b"550 5.7.1 this looks like spam"
    ),
    "nothing said": mail(DAEMON, TEXT, (DSN, status("", "5.0.0")), COPY),
}
"""Each is a failure, and says nothing of a missing mailbox."""

NO_FAILURE: dict[str, bytes] = {
    action: mail(DAEMON, TEXT, (DSN, status("smtp; 250 2.1.5 ok", code, action)), COPY)
    for action, code in (
        ("delayed", "4.4.1"),
        ("relayed", "2.0.0"),
        ("expanded", "2.0.0"),
        ("delivered", "2.1.5"),
        ("Delayed", "4.0.0"),
    )
}


def answer(*lines: str, subject: str = "Out of office") -> bytes:
    head = "".join(f"{line}\n" for line in lines)
    return (
        f"From: {SUBSCRIBER}\nTo: {TO}\nSubject: {subject}\n{head}In-Reply-To: <{TOKEN}@lab.example>\n\n"
        "I am away until Monday. 550 5.1.1 user unknown\n"
    ).encode()


ANSWERS: dict[str, bytes] = {
    "RFC 3834": answer("Auto-Submitted: auto-replied", subject="Re: 3 new papers"),
    "vacation": answer("Precedence: junk", subject="away"),
    "Exchange": answer("X-Auto-Response-Suppress: All", subject="Automatic reply: 3 new papers"),
    "a header of its own": answer("X-Autoreply: yes", subject="Re: 3 new papers"),
    "German": answer(subject="Automatische Antwort: 3 new papers"),
    "encoded": answer(subject="=?utf-8?Q?R=C3=A9ponse_automatique?="),
}
"""Nobody is to be told of these."""

UNREADABLE: dict[str, bytes] = {
    "prose": f"From: postmaster@home.example\nTo: {TO}\nSubject: Failed\n\nIt failed.\n".encode(),
    "a person": answer(subject="Re: 3 new papers"),
    "no report in it": mail(DAEMON, TEXT, COPY),
}


def complaint(kind: str = "abuse") -> bytes:
    """RFC 5965; the address of who complained is often taken out."""
    return mail(
        "From: feedback@provider.example\nSubject: FW: 3 new papers",
        ("text/plain", "A mail was reported."),
        (
            "message/feedback-report",
            f"Feedback-Type: {kind}\nUser-Agent: loop/1\nVersion: 1\nOriginal-Mail-From: <{TO}>\n",
        ),
        COPY,
        kind="multipart/report; report-type=feedback-report",
    ).replace(f"To: {TO}\n".encode(), b"To: fbl@lab.example\n", 1)


def damaged(seed: int) -> bytes:
    """One of all these mails, damaged."""
    mails = [*DEAD.values(), *ALIVE.values(), *ANSWERS.values(), complaint()]
    return damage.damaged(mails, [b"*0*=", b";", b'"', b"\n\n", b"=?x?b?/w==?=", b"\r", b"\\x{110000}"], seed)
