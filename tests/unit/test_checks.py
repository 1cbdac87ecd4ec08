"""What a check makes of what it saw: DNS records, units, rights, room, clock, certificate."""

from datetime import timedelta
from pathlib import Path

import pytest

from digest.cli.doctor_checks.arxiv import doubt_about
from digest.cli.doctor_checks.clock import judge_clock
from digest.cli.doctor_checks.email_authentication import include_of, judge_dkim, judge_dmarc, judge_spf
from digest.cli.doctor_checks.files import A_YEAR, judge_room, judge_secret
from digest.cli.doctor_checks.run_all import exit_code
from digest.cli.doctor_checks.systemd import judge_units, parse_units
from digest.service.finding import Finding, Verdict, failed, ok, warning
from digest.service.transports.smtp_checks import judge_expiry, login_hint
from tests.factories import moment

GOOD = "v=spf1 include:_spf.google.com ~all"
MANY = " ".join(f"include:{number}.example.org" for number in range(11))


def verdict_and_said(finding: Finding) -> tuple[str, str]:
    """A finding that asks for something says what to do, and one that is well does not."""
    assert bool(finding.remedy) == (finding.verdict is not Verdict.OK)
    assert "\n" not in finding.said + finding.remedy
    return finding.verdict.value, finding.said


@pytest.mark.parametrize(
    ("texts", "include", "verdict", "said"),
    [
        ((GOOD,), "_spf.google.com", "ok", "include:_spf.google.com"),
        (("some other text", "V=SPF1 mx -all"), None, "ok", "mx -all"),
        (("v=spf1 redirect=_spf.example.net",), "_spf.google.com", "ok", "redirect"),
        ((), None, "warning", "no SPF record"),
        (("v=spf10 -all", "v=spf2.0/pra -all"), None, "warning", "no SPF record"),
        ((GOOD, "v=spf1 -all"), None, "failed", "2 SPF records"),
        (("v=spf1 mx +all",), None, "warning", "allows every server to send"),
        (("v=spf1 mx all",), None, "warning", "allows every server to send"),
        (("v=spf1 mx",), None, "warning", "has no rule for other servers"),
        (("v=spf1 mx ~all",), "_spf.google.com", "warning", "does not include _spf.google.com"),
        ((f"v=spf1 {MANY} -all",), None, "warning", "11 look-ups; at most 10 are allowed"),
    ],
)
def test_an_spf_record_is_one_that_names_the_server_and_ends_the_list(
    texts: tuple[str, ...], include: str | None, verdict: str, said: str
) -> None:
    found = verdict_and_said(judge_spf("lab.example", texts, include))
    assert found[0] == verdict
    assert said in found[1]


def test_the_include_is_that_of_the_servers_owner() -> None:
    assert include_of("smtp.gmail.com") == "_spf.google.com"
    assert include_of("mail.lab.example") is None


@pytest.mark.parametrize(
    ("texts", "verdict", "said"),
    [
        (("v=DMARC1; p=none; rua=mailto:d@lab.example",), "ok", "p=none"),
        (("v=DMARC1;p=reject",), "ok", "p=reject"),
        ((), "warning", "no DMARC record"),
        (("p=none; v=DMARC1",), "warning", "no DMARC record"),
        (("v=DMARC1; p=maybe",), "failed", "no valid policy"),
        (("v=DMARC1; p=none", "v=DMARC1; p=reject"), "failed", "2 records"),
    ],
)
def test_a_dmarc_record_is_one_with_a_policy(texts: tuple[str, ...], verdict: str, said: str) -> None:
    found = verdict_and_said(judge_dmarc("lab.example", "_dmarc.lab.example", texts))
    assert found[0] == verdict
    assert said in found[1]


def test_a_dkim_key_that_is_not_found_is_no_failure() -> None:
    assert judge_dkim("lab.example", {"s1": ("v=DKIM1; k=rsa; p=MIGf MA0",)}).verdict is Verdict.OK
    assert judge_dkim("lab.example", {"s1": ("k=rsa; p=MIGf",)}).verdict is Verdict.OK
    for records in ({}, {"s1": ("v=DKIM1; p=",)}, {"s1": ("v=spf1 -all",)}, {"s1": ("v=DKIM2; p=MIGf",)}):
        assert verdict_and_said(judge_dkim("lab.example", records))[0] == "warning"


DAEMON = """Id=arxiv-digest.service
LoadState={load}
ActiveState={active}
UnitFileState={file}
Result={result}
"""
TIMER = """
Id=arxiv-digest-run.timer
LoadState={load}
ActiveState={active}
UnitFileState={file}
Result=success
"""
ABSENT = {"load": "not-found", "active": "inactive", "file": "", "result": "success"}
GOING = {"load": "loaded", "active": "active", "file": "enabled", "result": "success"}


@pytest.mark.parametrize(
    ("daemon", "timer", "verdict", "said"),
    [
        (ABSENT, ABSENT, "ok", "not installed"),
        (GOING, ABSENT, "ok", "arxiv-digest.service runs"),
        (ABSENT, GOING, "ok", "arxiv-digest-run.timer runs"),
        (GOING | {"active": "inactive", "file": "disabled"}, GOING, "ok", "arxiv-digest-run.timer runs"),
        (GOING, GOING, "warning", "both active"),
        (
            GOING | {"active": "inactive", "file": "disabled"},
            ABSENT,
            "warning",
            "neither enabled nor running",
        ),
        (GOING | {"file": "disabled"}, ABSENT, "warning", "not start after a reboot"),
        (GOING | {"active": "failed", "result": "exit-code"}, ABSENT, "failed", "(failed, exit-code)"),
        (GOING | {"active": "activating"}, ABSENT, "failed", "does not run"),
        (GOING | {"load": "bad-setting"}, ABSENT, "failed", "cannot load"),
    ],
)
def test_one_unit_runs_and_comes_back_after_a_restart(
    daemon: dict[str, str], timer: dict[str, str], verdict: str, said: str
) -> None:
    finding = judge_units(parse_units(DAEMON.format(**daemon) + TIMER.format(**timer)))
    assert finding.verdict == verdict
    assert said in finding.said


def test_a_file_with_a_password_is_closed_to_other_users() -> None:
    assert judge_secret(Path("secret"), 0o100640).verdict is Verdict.OK
    for mode in (0o100644, 0o100602):
        assert judge_secret(Path("secret"), mode).remedy == "chmod o-rw secret"


def test_the_disk_has_room_for_a_year() -> None:
    assert judge_room(A_YEAR).verdict is Verdict.OK
    assert verdict_and_said(judge_room(A_YEAR - 1))[0] == "warning"
    assert verdict_and_said(judge_room(1_000_000)) == ("failed", "1 MB free for the state")


@pytest.mark.parametrize(
    ("lead", "verdict", "said"),
    [
        (timedelta(seconds=-100), "ok", "within 2 minutes"),
        (timedelta(minutes=5), "warning", "5 minutes ahead"),
        (timedelta(minutes=-119), "failed", "119 minutes behind"),
        (timedelta(hours=-2), "failed", "2 hours behind"),
        (timedelta(days=165), "failed", "165 days ahead"),
        (None, "warning", "not checked"),
    ],
)
def test_a_clock_that_is_wrong_is_told_from_one_that_is_right(
    lead: timedelta | None, verdict: str, said: str
) -> None:
    found = verdict_and_said(judge_clock(lead))
    assert found[0] == verdict
    assert said in found[1]


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    now = moment("2026-06-16 12:00")
    assert judge_expiry(now + timedelta(days=30), now=now).verdict is Verdict.OK
    assert verdict_and_said(judge_expiry(now + timedelta(days=2), now=now))[1] == "valid until 2026-06-18"


def test_an_answer_without_a_paper_of_the_last_days_is_not_believed() -> None:
    now = moment("2026-06-16 12:00")
    assert doubt_about(now - timedelta(days=6), 9, now=now) is None
    assert doubt_about(now - timedelta(days=600), 9, now=None) is None
    assert "has the date 2024" in str(doubt_about(now - timedelta(days=800), 9, now=now))
    assert "must have" in str(doubt_about(None, 0, now=now))
    assert "must have" in str(doubt_about(now, 0, now=now))


def test_what_a_provider_wants_is_known_by_its_server() -> None:
    assert "myaccount.google.com/apppasswords" in str(login_hint("SMTP.gmail.com"))
    assert "console" in str(login_hint("email-smtp.eu-west-1.amazonaws.com"))
    assert login_hint("mail.lab.example") is None


def test_the_command_ends_with_two_for_a_broken_configuration_before_all_else() -> None:
    assert exit_code([ok("disk", ""), warning("SPF", "", "")]) == 0
    assert exit_code([ok("disk", ""), failed("state", "", "")]) == 1
    assert exit_code([failed("configuration", "", ""), failed("state", "", "")]) == 2
    assert exit_code([failed("subscribers", "", "")]) == 2
