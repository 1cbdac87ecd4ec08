"""`digest doctor`: every failing step is named with what to do, and what can still be checked is checked."""

import json
import os
import sqlite3
import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
import trustme

from digest import cli
from digest.cli.doctor_checks.dns import Missing
from digest.cli.doctor_checks.run_all import examine, exit_code
from digest.mail.smtp import connect
from digest.service.finding import Finding, Verdict
from digest.service.transports import smtp_checks as checks_of_smtp
from digest.storage.sqlite.backup import back_up
from digest.storage.sqlite.store import SqliteStore
from tests.integration.arxiv_harvest_server import daily_feed, harvest_server
from tests.integration.arxiv_server import arxiv_server, entry, feed, hangs, resets, says
from tests.integration.mail_server import Answer, Do, MailServer, serving

PASSWORD = "correct horse battery"
NOTHING_LISTENS = "http://127.0.0.1:9/api/query"
LOGIN = ("STARTTLS", "AUTH PLAIN LOGIN")
IDENTITY = """<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
<responseDate>2026-06-16T12:00:00Z</responseDate><Identify><repositoryName>arXiv</repositoryName></Identify>
</OAI-PMH>"""
SUBSCRIBER = '[[subscriber]]\nemail = "reader@example.org"\nkeywords = ["tea"]\ntimezone = "Europe/Berlin"\n'


@dataclass(kw_only=True)
class Records:
    """A resolver that knows these names; with `is_silent` it answers nothing."""

    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_silent: bool = False
    asked: list[str] = field(default_factory=list)

    async def texts(self, name: str) -> tuple[str, ...] | Missing:
        self.asked.append(name)
        if self.is_silent:
            return Missing.ANSWER
        return self.known.get(name, Missing.NAME)


class Place:
    """A folder with both files; mails go into a Maildir and arXiv is down, if nothing else is said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state" / "digest.db"
        self.resolver = Records()
        (folder / "subscribers.toml").write_text(SUBSCRIBER)
        self.write()

    def write(self, *, smtp: str = "", api_url: str = NOTHING_LISTENS, more: str = "") -> None:
        (self.folder / "digest.toml").write_text(
            f'state = "state/digest.db"\n[smtp]\n{smtp}\n'
            f'[arxiv]\napi_url = "{api_url}"\ncontact = "op@example.org"\nrequest_interval = 0\n{more}'
        )

    async def examine(self, send_to: str | None = None) -> tuple[Finding, ...]:
        found = examine(self.folder / "digest.toml", {"PATH": ""}, self.resolver, send_to=send_to)
        findings = tuple([finding async for finding in found])
        told = " ".join(f"{one.said} {one.remedy}" for one in findings)
        assert PASSWORD not in told
        assert all(bool(one.remedy) == (one.verdict is not Verdict.OK) for one in findings)
        return findings


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PATH", "")  # the systemd of the machine on which the tests run is no matter of theirs
    return Place(tmp_path)


def named(findings: tuple[Finding, ...], name: str) -> Finding:
    (found,) = (one for one in findings if one.name == name)
    return found


def failures(findings: tuple[Finding, ...]) -> list[str]:
    return [one.name for one in findings if one.verdict is Verdict.FAILED]


def certificate(authority: trustme.CA, not_after: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=not_after).configure_cert(context)
    return context


def smtp_of(
    server: MailServer,
    security: str = "starttls",
    more: str = "",
    host: str = "127.0.0.1",
    seconds: str = "60",
) -> str:
    return (
        f'host = "{host}"\nport = {server.port}\nsecurity = "{security}"\nusername = "me@lab.example"\n'
        f'password = "{PASSWORD}"\ntimeout = {seconds}\n{more}'
    )


async def mail_findings(place: Place, server: MailServer, **options: str) -> tuple[Finding, ...]:
    """What is said of the mail server, without the prefix that they share."""
    async with serving(server):
        place.write(smtp=smtp_of(server, **options))
        return await place.examine()


async def test_each_step_of_a_mail_server_in_order_is_told(place: Place, trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    found = await mail_findings(place, server)
    steps = [one for one in found if one.name.startswith("mail server: ")]
    assert [one.name.removeprefix("mail server: ") for one in steps] == [
        *("name", "connection", "greeting", "encryption", "certificate", "login", "sender")
    ]
    assert {one.verdict for one in steps} == {Verdict.OK}
    assert "TLSv1" in steps[3].said
    assert "me@lab.example may send" in steps[6].said
    assert not server.accepted
    assert server.commands[-1] == "QUIT"


async def test_nothing_listens_at_the_port(place: Place) -> None:
    place.write(smtp=smtp_of(MailServer(port=9)))
    found = named(await place.examine(), "mail server: connection")
    assert (found.verdict, found.said) == (Verdict.FAILED, "nothing listens there")
    assert "smtp.port" in found.remedy


async def test_a_server_that_is_no_host(place: Place) -> None:
    place.write(smtp=smtp_of(MailServer(port=25), host="nowhere.invalid"))
    assert named(await place.examine(), "mail server: name").said == "no such host"


async def test_tls_and_starttls_mixed_up_are_told_from_each_other(place: Place, trusted: trustme.CA) -> None:
    plain = MailServer(tls=certificate(trusted), extensions=LOGIN)
    found = named(await mail_findings(place, plain, security="tls"), "mail server: encryption")
    assert found.verdict is Verdict.FAILED
    assert 'smtp.security = "starttls"' in found.remedy
    encrypted = MailServer(tls=certificate(trusted), extensions=LOGIN, is_tls_from_start=True)
    findings = await mail_findings(place, encrypted, security="starttls", seconds="2")
    found = named(findings, "mail server: greeting")
    assert found.verdict is Verdict.FAILED
    assert 'smtp.security = "tls"' in found.remedy


async def test_a_server_without_starttls(place: Place) -> None:
    found = named(await mail_findings(place, MailServer()), "mail server: encryption")
    assert "offers no encryption (STARTTLS)" in found.said


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_expired_certificate(place: Place, trusted: trustme.CA, security: str) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    server = MailServer(
        tls=certificate(trusted, yesterday), extensions=LOGIN, is_tls_from_start=security == "tls"
    )
    found = named(await mail_findings(place, server, security=security), "mail server: certificate")
    assert "certificate has expired" in found.said
    assert "renew" in found.remedy
    assert "AUTH" not in " ".join(server.commands)


async def test_a_certificate_of_nobody_known(place: Place, authority: trustme.CA) -> None:
    server = MailServer(tls=certificate(authority), extensions=LOGIN)
    assert "SSL_CERT_FILE" in named(await mail_findings(place, server), "mail server: certificate").remedy


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        ("535 5.7.8 Username and Password not accepted", "app password"),
        ("534 5.7.9 Application-specific password required", "create an app password"),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled", "SMTP AUTH"),
        ("550 5.7.30 Basic authentication is not supported for Client Submission", "SMTP AUTH"),
        ("454 4.7.0 Temporary authentication failure", "tries again later"),
        (f"535 5.7.8 wrong: {PASSWORD}", "app password"),
    ],
)
async def test_a_refused_login(place: Place, trusted: trustme.CA, reply: str, remedy: str) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN, answers={"AUTH": reply})
    findings = await mail_findings(place, server)
    found = named(findings, "mail server: login")
    assert reply.split()[0] in found.said
    assert remedy in found.remedy
    assert server.commands.count("QUIT") == 1
    assert [command.split()[0] for command in server.commands].count("AUTH") == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("553 5.7.1 Sender address rejected: not owned by user", "does not accept mail from this sender"),
        ("550 5.7.60 Client does not have permissions to send as this sender", "from this sender"),
        ("421 4.7.0 try again later", "accepts no mail for now"),
        (Do.DROP, "closed the connection at MAIL"),
        (Do.HANG, "no answer within 2 s at MAIL"),
    ],
)
async def test_a_refused_sender(place: Place, trusted: trustme.CA, reply: Answer, said: str) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN, answers={"MAIL": reply})
    seconds = "2" if reply is Do.HANG else "60"
    findings = await mail_findings(place, server, more='sender = "x@lab.example"\n', seconds=seconds)
    found = named(findings, "mail server: sender")
    assert found.verdict is Verdict.FAILED
    assert said in found.said


@pytest.mark.parametrize(
    ("answers", "step"),
    [
        ({"EHLO": "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)"}, "greeting"),
        ({"EHLO": "504 5.5.2 <laptop>: Helo command rejected: need fully-qualified hostname"}, "greeting"),
        ({"RCPT": "504 5.5.2 <laptop>: Helo command rejected: need fully-qualified hostname"}, "sender"),
    ],
)
async def test_a_refused_name_of_this_machine(
    place: Place, trusted: trustme.CA, answers: dict[str, Answer], step: str
) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN, answers=answers)
    found = named(await mail_findings(place, server), f"mail server: {step}")
    assert (found.verdict, "smtp.helo" in found.remedy) == (Verdict.FAILED, True)


async def test_a_short_name_of_this_machine_is_told(
    place: Place, trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (connect, checks_of_smtp):
        monkeypatch.setattr(module, "machine_name", lambda: "laptop")
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    findings = await mail_findings(place, server, more='sender = "x@laptop.local"\n')
    found = named(findings, "mail server: greeting")
    assert (found.verdict, "as laptop," in found.said) == (Verdict.WARNING, True)
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    findings = await mail_findings(place, server, more='helo = "mail.lab.example"\n')
    assert named(findings, "mail server: greeting").said == "as mail.lab.example"
    assert server.commands[0] == "EHLO mail.lab.example"


async def test_the_sender_that_is_tried_is_that_of_the_envelope(place: Place, trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    await mail_findings(place, server, more='bounce_address = "bounce@lab.example"\n')
    assert f"MAIL FROM:<bounce+{'0' * 24}@lab.example>" in server.commands


async def test_the_records_are_asked_for_up_to_the_domain_that_has_them(place: Place) -> None:
    place.resolver = Records(
        known={
            "mail.lab.example": ("v=spf1 mx ~all",),
            "selector1._domainkey.mail.lab.example": ("v=DKIM1; p=MIGf",),
            "_dmarc.lab.example": ("v=DMARC1; p=quarantine",),
        }
    )
    place.write(smtp=smtp_of(MailServer(port=9), more='sender = "me@mail.lab.example"\n'))
    findings = await place.examine()
    assert named(findings, "SPF").verdict is Verdict.OK
    assert "selector1" in named(findings, "DKIM").said
    assert named(findings, "DMARC").said == "_dmarc.lab.example: p=quarantine"


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_resolver_that_does_not_answer_is_no_failure(place: Place, is_silent: bool) -> None:
    place.resolver = Records(is_silent=is_silent)
    place.write(smtp=smtp_of(MailServer(port=9)))
    found = named(await place.examine(), "SPF, DKIM, DMARC")
    assert found.verdict is Verdict.WARNING
    assert ("not checked" if is_silent else "DNS has no name lab.example") in found.said
    assert place.resolver.asked == ["lab.example"]


async def test_arxiv_is_asked_once_and_its_time_compared(place: Place) -> None:
    async with arxiv_server(says(feed(entry()))) as arxiv:
        place.write(api_url=arxiv.url)
        findings = await place.examine()
    assert named(findings, "arXiv: search API").verdict is Verdict.OK
    assert named(findings, "clock").verdict is Verdict.OK
    assert len(arxiv.asked) == 1
    assert arxiv.asked[0].fields["max_results"] == "1"
    assert "op@example.org" in arxiv.asked[0].headers["User-Agent"]


async def test_a_clock_that_differs_from_arxivs_is_found_by_the_same_answer(place: Place) -> None:
    async with arxiv_server(says(feed(entry()), Date="Mon, 15 Jun 2020 12:00:00 GMT")) as arxiv:
        place.write(api_url=arxiv.url)
        assert "ahead" in named(await place.examine(), "clock").said


async def test_time_that_an_answer_lay_in_a_cache_is_no_difference(place: Place) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    date = an_hour_ago.strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with arxiv_server(says(feed(entry()), Date=date, Age="3600")) as arxiv:
        place.write(api_url=arxiv.url)
        assert named(await place.examine(), "clock").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (says(feed()), "must have papers"),
        (says(feed(entry())[:400]), "not a complete Atom feed"),
        (says("<html>come back later</html>"), "a web page"),
        (says("busy", status=503), "overloaded"),
        (resets, "no answer"),
    ],
)
async def test_an_arxiv_that_cannot_be_believed(
    place: Place, reply: Callable[..., object], said: str
) -> None:
    async with arxiv_server(reply) as arxiv:  # type: ignore[arg-type]
        place.write(api_url=arxiv.url)
        found = named(await place.examine(), "arXiv: search API")
    assert found.verdict is Verdict.FAILED
    assert said in found.said
    assert len(arxiv.asked) == 1


async def test_the_interfaces_that_take_over_are_asked_once_each(place: Place) -> None:
    async with harvest_server(says(feed(entry())), says(IDENTITY), says(daily_feed())) as arxiv:
        place.write(api_url=f"{arxiv.url}/api/query", more=others_of(arxiv.url))
        findings = await place.examine()
    assert named(findings, "arXiv: OAI-PMH").said == "answers as arXiv"
    assert named(findings, "arXiv: daily feed").said == "answers; its date is 2026-06-16"
    assert [path for path, _ in arxiv.asked] == ["/api/query", "/oai", "/atom/math.HO"]


async def test_what_only_takes_over_is_a_warning_when_it_cannot_be_used(place: Place) -> None:
    async with harvest_server(says(feed(entry())), says("<OAI-PMH/>"), says("<html>")) as arxiv:
        place.write(api_url=f"{arxiv.url}/api/query", more=others_of(arxiv.url))
        findings = await place.examine()
    assert named(findings, "arXiv: OAI-PMH").verdict is Verdict.WARNING
    assert named(findings, "arXiv: daily feed").verdict is Verdict.WARNING
    assert exit_code(findings) == 0


def others_of(url: str) -> str:
    return f'oai_url = "{url}/oai"\nfeed_url = "{url}/atom"\n'


async def test_an_arxiv_that_says_nothing_is_not_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.doctor_checks.arxiv._PATIENCE", timedelta(seconds=0.2))
    async with arxiv_server(hangs) as arxiv:
        place.write(api_url=arxiv.url)
        assert "no complete answer" in named(await place.examine(), "arXiv: search API").said


async def test_a_state_in_order_is_left_as_it_is(place: Place) -> None:
    SqliteStore(place.state).close()
    before = place.state.read_bytes()
    found = named(await place.examine(), "state")
    assert found.verdict is Verdict.OK
    assert place.state.read_bytes() == before


async def test_a_state_that_was_restored_is_told_of_and_left_as_it_is(place: Place) -> None:
    SqliteStore(place.folder / "former.db").close()
    place.state.parent.mkdir()
    back_up(place.folder / "former.db", place.state, now=datetime.now(UTC))
    before = place.state.read_bytes()
    found = named(await place.examine(), "state")
    assert found.verdict is Verdict.OK
    assert "restored from an older copy, the next run continues from it" in found.said
    assert place.state.read_bytes() == before


async def test_a_state_that_another_holds_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.cli.doctor_checks.files._BUSY", timedelta(seconds=0.1))
    SqliteStore(place.state).close()
    with closing(sqlite3.connect(place.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = named(await place.examine(), "state")
    assert "is locked by another program" in found.said
    assert found.verdict is Verdict.FAILED


async def test_a_state_that_is_none_is_named(place: Place) -> None:
    place.state.parent.mkdir()
    place.state.write_bytes(b"Dear diary, " * 500)
    found = named(await place.examine(), "state")
    assert "is not a digest state file" in found.said
    assert "DIGEST_STATE" in found.remedy


async def test_a_damaged_state_is_found_though_it_opens(place: Place) -> None:
    with SqliteStore(place.state):
        pass
    with closing(sqlite3.connect(place.state)) as db, db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("CREATE TABLE ballast (words TEXT)")
        db.executemany("INSERT INTO ballast VALUES (?)", [("tea" * 500,)] * 100)
    content = bytearray(place.state.read_bytes())
    content[-3 * 4096 : -4096] = b"\xff" * (2 * 4096)
    place.state.write_bytes(content)
    found = named(await place.examine(), "state")
    assert found.verdict is Verdict.FAILED


async def test_a_state_of_a_newer_version_is_named(place: Place) -> None:
    SqliteStore(place.state).close()
    with closing(sqlite3.connect(place.state)) as newer, newer:
        newer.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('digest', 'm999_future')")
    found = named(await place.examine(), "state")
    assert "newer version" in found.said
    assert "install that version" in found.remedy


async def test_a_state_too_large_to_look_through_is_no_failure(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.doctor_checks.files._PATIENCE", timedelta(seconds=-1))
    monkeypatch.setattr("digest.storage.sqlite.inspection._STEPS_BETWEEN_LOOKS", 1)
    SqliteStore(place.state).close()
    assert named(await place.examine(), "state").verdict is Verdict.WARNING


async def test_a_state_folder_that_cannot_be_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        os, "access", lambda path, mode: False
    )  # root, as whom tests may run, may do anything
    found = named(await place.examine(), "state folder")
    assert found.verdict is Verdict.FAILED
    assert "as the owner" in found.remedy


async def test_root_leaves_no_file_of_its_own_in_the_folder_of_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.state.parent.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("digest.cli.doctor_checks.arxiv._owner", lambda folder: 4711)
    found = named(await place.examine(), "arXiv")
    assert found.verdict is Verdict.WARNING
    assert "sudo -u '#4711'" in found.remedy
    assert not [*place.state.parent.iterdir()]


async def test_a_file_in_the_place_of_the_state_folder(place: Place) -> None:
    place.state.parent.write_text("")
    assert "is a file" in named(await place.examine(), "state folder").said


async def test_a_password_that_others_may_read_is_a_warning(place: Place) -> None:
    (place.folder / "secret").write_text(f"{PASSWORD}\n")
    (place.folder / "secret").chmod(0o644)
    smtp = 'host = "127.0.0.1"\nport = 9\nusername = "me@lab.example"\npassword_file = "secret"\n'
    place.write(smtp=smtp)
    assert named(await place.examine(), "password file").verdict is Verdict.WARNING
    (place.folder / "secret").chmod(0o600)
    assert named(await place.examine(), "password file").verdict is Verdict.OK


async def test_broken_settings_are_named_all_at_once_and_the_rest_is_said_not_to_be_checked(
    place: Place,
) -> None:
    place.write(smtp='prot = 25\nsecurity = "ssl"\n')
    findings = await place.examine()
    assert failures(findings) == ["configuration", "configuration"]
    assert named(findings, "other checks").verdict is Verdict.WARNING
    assert exit_code(findings) == 2


async def test_with_broken_subscribers_all_else_is_checked(place: Place) -> None:
    (place.folder / "subscribers.toml").write_text('[[subscriber]]\nemail = "nobody"\nkeywords = ["tea"]\n')
    async with arxiv_server(says(feed(entry()))) as arxiv:
        place.write(api_url=arxiv.url)
        findings = await place.examine()
    assert failures(findings) == ["subscribers"]
    assert named(findings, "arXiv: search API").verdict is Verdict.OK
    assert exit_code(findings) == 2


async def test_keywords_that_find_far_more_than_they_seem_to_are_a_warning(place: Place) -> None:
    entry = '[[subscriber]]\nemail = "ada@example.org"\nkeywords = ["R", "7", "tea"]\n'
    (place.folder / "subscribers.toml").write_text(entry)
    found = named(await place.examine(), "subscribers")
    assert found.verdict is Verdict.WARNING
    assert 'R finds every paper with the word "r"' in found.said
    assert "and 1 more" in found.said


async def test_the_zones_of_subscribers_are_shown_with_their_time(place: Place) -> None:
    assert "in Europe/Berlin" in named(await place.examine(), "time zones").said


async def test_a_test_digest_goes_by_the_way_of_real_ones(place: Place, trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    async with serving(server):
        place.write(smtp=smtp_of(server))
        findings = await place.examine(send_to="reader@example.org")
    assert named(findings, "test digest").verdict is Verdict.OK
    (mail,) = server.accepted
    message = message_from_bytes(mail.message)
    assert (mail.sender, mail.recipient) == ("me@lab.example", "reader@example.org")
    assert "(test)" in message["From"]


async def test_a_refused_test_digest_is_told_with_its_reply(place: Place, trusted: trustme.CA) -> None:
    answers = {"DOT": "550 5.7.60 Client does not have permissions to send as this sender"}
    server = MailServer(tls=certificate(trusted), extensions=LOGIN, answers=answers)
    async with serving(server):
        place.write(smtp=smtp_of(server))
        found = named(await place.examine(send_to="reader@example.org"), "test digest")
    assert "550 5.7.60" in found.said
    assert "smtp.sender" in found.remedy


async def test_nothing_is_sent_by_a_server_that_is_not_in_order(place: Place, trusted: trustme.CA) -> None:
    server = MailServer(tls=certificate(trusted), extensions=LOGIN, answers={"AUTH": "535 5.7.8 no"})
    async with serving(server):
        place.write(smtp=smtp_of(server))
        findings = await place.examine(send_to="reader@example.org")
    assert named(findings, "test digest").verdict is Verdict.WARNING
    assert [command.split()[0] for command in server.commands].count("AUTH") == 1


async def test_without_a_mail_server_the_test_digest_goes_into_the_maildir(place: Place) -> None:
    assert named(await place.examine(send_to="reader@example.org"), "test digest").verdict is Verdict.OK
    assert len([*(place.folder / "state" / "Maildir" / "new").iterdir()]) == 1


async def test_what_systemd_says_of_the_units_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    command = place.folder / "systemctl"
    command.write_text(
        "#!/bin/sh\n"
        "echo Id=arxiv-digest.service; echo LoadState=loaded\n"
        "echo ActiveState=failed; echo Result=exit-code\n"
        "echo; echo Id=arxiv-digest-run.timer; echo LoadState=not-found; echo ActiveState=inactive\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(place.folder))
    found = named(await place.examine(), "service")
    assert found.verdict is Verdict.FAILED
    assert "journalctl -u arxiv-digest.service" in found.remedy


def run_doctor(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    monkeypatch.chdir(place.folder)
    monkeypatch.setattr(sys, "argv", ["digest", "doctor", *arguments])
    monkeypatch.setattr("digest.cli.doctor_checks.dns.DnsResolver", lambda: place.resolver)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


def test_the_command_prints_a_line_for_each_finding(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run_doctor(place, monkeypatch, capsys)
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("ok      configuration: ")
    assert any(line.startswith("failed  arXiv: search API: no answer") and " -> " in line for line in lines)
    assert lines[-1].endswith("1 failed")


def test_the_command_prints_one_object_for_programs(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write(smtp="prot = 25\n")
    code, out = run_doctor(place, monkeypatch, capsys, "--json")
    told = json.loads(out)
    assert code == told["exit_code"] == 2
    assert set(told["findings"][0]) == {"name", "verdict", "said", "remedy"}
    assert told["findings"][0]["verdict"] == "failed"


def test_an_address_that_is_none_is_a_wrong_usage(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_doctor(place, monkeypatch, capsys, "--send", "nobody") == (2, "")


async def test_every_check_is_in_the_docs(place: Place, trusted: trustme.CA) -> None:
    text = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
    server = MailServer(tls=certificate(trusted), extensions=LOGIN)
    place.resolver = Records(known={"lab.example": ()})
    async with serving(server):
        place.write(smtp=smtp_of(server))
        findings = await place.examine(send_to="reader@example.org")
    names = {one.name.removeprefix("mail server: ") for one in findings}
    assert len(names) > 15
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


async def test_templates_of_ones_own_are_tried_out_and_used_for_the_test(place: Place) -> None:
    own = place.folder / "own"
    own.mkdir()
    place.write(more='[mail]\ntemplates = "own"\n')
    assert named(await place.examine(), "templates").verdict is Verdict.OK
    (own / "papers.txt.j2").write_text("x")
    found = named(await place.examine(), "templates")
    assert (found.verdict, "papers.txt.j2: no template" in found.said) == (Verdict.WARNING, True)
    (own / "paper.txt.j2").write_text("{{ nothing.of.ours }}")
    findings = await place.examine(send_to="op@example.org")
    found = named(findings, "templates")
    assert (found.verdict, "paper.txt.j2" in found.said) == (Verdict.FAILED, True)
    assert named(findings, "test digest").verdict is Verdict.FAILED
