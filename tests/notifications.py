"""Delivery status notifications of the shapes that the common mail servers give them; the words are ours."""

from textwrap import dedent

TOKEN = "0123456789abcdef01234567"
BOUNCES = "bounce@lab.example"
SUBSCRIBER = "reader@home.example"

FIELDS = """\
Final-Recipient: rfc822; reader@home.example
Original-Recipient: rfc822;reader@home.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.home.example
Diagnostic-Code: smtp; 550 5.1.1 <reader@home.example>: nobody of that name
"""


def head(to: str = f"bounce+{TOKEN}@lab.example") -> str:
    return dedent(
        f"""\
        Return-Path: <>
        X-Original-To: {to}
        Delivered-To: {to}
        From: Mail System <MAILER-DAEMON@mx.lab.example>
        To: {to}
        Subject: Your mail was not delivered
        Auto-Submitted: auto-replied
        Message-Id: <20261123091625.77@mx.lab.example>
        MIME-Version: 1.0
        """
    )


def returned(token: str = TOKEN) -> str:
    return f"From: arXiv digest <digest@lab.example>\nTo: {SUBSCRIBER}\nMessage-ID: <{token}@lab.example>\n"


def postfix(
    *, head: str = head(), fields: str = FIELDS, returned: str = returned(), kind: str = "message/rfc822"
) -> bytes:
    """`fields` are on one recipient, or on several with an empty line between them."""
    text = f"""\
{head}Content-Type: multipart/report; report-type=delivery-status;
\tboundary="C88AE.1795425385/mx.lab.example"

This is in MIME.

--C88AE.1795425385/mx.lab.example
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

The mail could not be delivered to {SUBSCRIBER}.

--C88AE.1795425385/mx.lab.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.lab.example
X-Postfix-Sender: rfc822; bounce@lab.example
Arrival-Date: Mon, 23 Nov 2026 09:16:25 +0000 (UTC)

{fields}
--C88AE.1795425385/mx.lab.example
Content-Description: Undelivered Message
Content-Type: {kind}

{returned}
hello

--C88AE.1795425385/mx.lab.example--
"""
    return text.encode()


def exim(words: str = "550 5.1.1 no such mailbox") -> bytes:
    """Its own status is always the same; what the other server said stands in the diagnostic code."""
    text = f"""\
Return-path: <>
Envelope-to: bounce+{TOKEN}@lab.example
Received: from Debian-exim by mx.lab.example with local (Exim 4.96)
X-Failed-Recipients: {SUBSCRIBER}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.lab.example>
To: bounce+{TOKEN}@lab.example
References: <{TOKEN}@lab.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=1795425385-eximdsn-77
MIME-Version: 1.0
Subject: Mail returned

--1795425385-eximdsn-77
Content-type: text/plain; charset=us-ascii

One address failed for good: {SUBSCRIBER}

--1795425385-eximdsn-77
Content-type: message/delivery-status

Reporting-MTA: dns; mx.lab.example

Action: failed
Final-Recipient: rfc822;{SUBSCRIBER}
Status: 5.0.0
Remote-MTA: dns; mx.home.example
Diagnostic-Code: smtp; {words}

--1795425385-eximdsn-77
Content-type: message/rfc822

{returned()}
hello

--1795425385-eximdsn-77--
"""
    return text.encode()


def exchange() -> bytes:
    """An explanation in HTML first; line ends are CRLF, and the returned mail is headers alone."""
    text = f"""\
From: <postmaster@home.example>
To: <digest@lab.example>
Date: Mon, 23 Nov 2026 09:16:25 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9B095B5ADSN=_01DD5C3F77A0C1B0000000D3EX01.home.exam"
Message-ID: <77aa-f00d@EX01.home.example>
In-Reply-To: <{TOKEN}@lab.example>
Subject: Undeliverable: 3 new papers
Auto-Submitted: auto-replied

--9B095B5ADSN=_01DD5C3F77A0C1B0000000D3EX01.home.exam
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="77f1f1f1-0000-4c4c-9999-123412341234"

--77f1f1f1-0000-4c4c-9999-123412341234
Content-Type: text/plain; charset="us-ascii"

Delivery has failed.

--77f1f1f1-0000-4c4c-9999-123412341234
Content-Type: text/html; charset="us-ascii"

<p>Delivery has failed.</p>

--77f1f1f1-0000-4c4c-9999-123412341234--

--9B095B5ADSN=_01DD5C3F77A0C1B0000000D3EX01.home.exam
Content-Type: message/delivery-status

Reporting-MTA: dns;EX01.home.example
Received-From-MTA: dns;mx.lab.example

Original-Recipient: rfc822;{SUBSCRIBER}
Final-Recipient: rfc822;{SUBSCRIBER}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 no recipient by that SMTP address; it was looked up

--9B095B5ADSN=_01DD5C3F77A0C1B0000000D3EX01.home.exam
Content-Type: text/rfc822-headers

{returned()}
--9B095B5ADSN=_01DD5C3F77A0C1B0000000D3EX01.home.exam--
"""
    return text.replace("\n", "\r\n").encode()


def gmail() -> bytes:
    """The diagnostic code goes over several lines, as the reply did."""
    text = f"""\
Delivered-To: bounce+{TOKEN}@lab.example
Return-Path: <>
Content-Type: multipart/report; boundary="0000000000007f00ba06"; report-type=delivery-status
To: bounce+{TOKEN}@lab.example
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <{TOKEN}@lab.example>
In-Reply-To: <{TOKEN}@lab.example>
From: Mail Delivery Subsystem <mailer-daemon@mx.mail.example>

--0000000000007f00ba06
Content-Type: multipart/related; boundary="0000000000007f11cd08"

--0000000000007f11cd08
Content-Type: text/plain; charset="UTF-8"

** Not found **

--0000000000007f11cd08--
--0000000000007f00ba06
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
Arrival-Date: Mon, 23 Nov 2026 01:16:25 -0800 (PST)
X-Original-Message-ID: <{TOKEN}@lab.example>

Final-Recipient: rfc822; {SUBSCRIBER}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.home.example. (192.0.2.7, the server for the domain home.example.)
Diagnostic-Code: smtp; 550-5.1.1 There is no such account here. Please look for
 550-5.1.1 typing errors or blanks.
 550 5.1.1 See our help.
Last-Attempt-Date: Mon, 23 Nov 2026 01:16:26 -0800 (PST)

--0000000000007f00ba06
Content-Type: message/rfc822

{returned()}
hello

--0000000000007f00ba06--
"""
    return text.encode()


def vacation() -> bytes:
    """An auto-reply that quotes what it answers; it is no notification."""
    answer = head().replace("Mail System <MAILER-DAEMON@mx.lab.example>", SUBSCRIBER)
    text = f"""\
{answer}In-Reply-To: <{TOKEN}@lab.example>
References: <{TOKEN}@lab.example>
Content-Type: text/plain; charset=utf-8

Away until Monday.

Final-Recipient: rfc822; {SUBSCRIBER}
Action: failed
Status: 5.1.1
"""
    return text.encode()
