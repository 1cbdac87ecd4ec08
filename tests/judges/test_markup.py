"""Every mail and every page: as markup by html-validate, for who cannot see well by axe-core in Chromium."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.judges.browser import AXE, Step, filling, following, opening, pressing, ticking, visits
from tests.judges.correspondence import BASE, Correspondence
from tests.judges.on_node import html_errors
from tests.judges.website import Website, website

pytestmark = pytest.mark.long

IN_MAILS = {
    "no-inline-style": "Gmail takes a style sheet away, in a forwarded mail and in other people's accounts",
    "no-conditional-comment": "Outlook on Windows knows no max-width; no other program looks into them",
    "no-deprecated-attr": "Outlook on Windows lays tables out by their attributes",
    "presentation-role-style": "`none` is younger than many programs for mail",
    "prefer-native-element": "programs for mail drop <article> and keep <div role>",
    "prefer-tbody": "tables of one cell are layout and have no rows of data",
    "long-title": "the subject, up to 120 characters: no program shows it as a title",
}
"""Rules of html-validate that mails do not keep to, and why."""

_PART_OF_A_PAGE = "a mail is shown inside of a program's page, whose landmarks its own would double"
OF_AXE_IN_MAILS = {"landmark-one-main": _PART_OF_A_PAGE, "region": _PART_OF_A_PAGE}
"""Rules of axe-core that mails do not keep to, and why."""


@pytest.fixture(scope="module")
def site(correspondence: Correspondence, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    with website(correspondence, tmp_path_factory.mktemp("site")) as running:
        yield running


def _mails(correspondence: Correspondence, folder: Path) -> dict[str, list[Step]]:
    for mail in correspondence.mails:
        (folder / f"{mail.name}.html").write_text(mail.part("html"), encoding="utf-8")
    return {mail.name: [opening((folder / f"{mail.name}.html").as_uri())] for mail in correspondence.mails}


def _pages(correspondence: Correspondence, site: Website, folder: Path) -> dict[str, list[Step]]:
    """Each kind of page, in each of its states; the subscriber has left at the end."""
    mail = correspondence.longest
    links = re.findall(rf'"({re.escape(BASE)}/[^"]*)"', mail.part("html"))
    leave, manage, online, judging = (
        next(link for link in links if link.startswith(f"{BASE}/{kind}/")) for kind in "updi"
    )
    with urlopen(online.replace(BASE, site.address), timeout=10) as answer:
        keyword = re.findall(rf'"({re.escape(BASE)}/k/[^"/]*)"', answer.read().decode())[0]
    known = site.subscriber(mail.message["To"].addresses[0].addr_spec)
    name = known["keywords"][0]
    if known["left_at"]:  # in the test before
        back = site.confirmation("return").replace(BASE, site.address)
        urlopen(back, data=b"", timeout=10).close()
    (folder / "refused.html").write_text(_refused(manage.replace(BASE, site.address)), encoding="utf-8")
    pause = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    form = urlencode(
        {"at": "07:00", "weekly": "never", "length": "normal", "timezone": "UTC", "paused_until": pause}
    )
    urlopen(manage.replace(BASE, site.address), data=form.encode(), timeout=10).close()
    new = urlencode({"email": "new@example.org"}).encode()
    with suppress(HTTPError):  # asked for too often, by the tests before
        urlopen(f"{manage.replace(BASE, site.address)}/address", data=new, timeout=10).close()
    return {
        "choices to take back": [opening(site.confirmation("changed"))],
        "choices taken back": [opening(site.confirmation("changed")), pressing("Undo")],
        "unsubscribe": [opening(leave)],
        "preferences": [opening(manage)],
        "preferences, saved": [opening(manage), ticking(f"Mute {name}"), pressing("Save")],
        "preferences, refused": [opening((folder / "refused.html").as_uri())],
        "preferences, heard again": [opening(manage), ticking(f"Mute {name}"), pressing("Save")],
        "address": [opening(f"{manage}/address")],
        "address, asked for": [
            opening(f"{manage}/address"),
            filling("New address", "new@example.org"),
            pressing("Send the mail"),
        ],
        "address, refused": [
            opening(f"{manage}/address"),
            filling("New address", "nobody"),
            pressing("Send the mail"),
        ],
        "address to confirm": [opening(site.confirmation("address"))],
        "what they like": [opening(judging), pressing("More like this"), opening(f"{manage}/interests")],
        "their data": [opening(f"{manage}/data")],
        "link by mail": [opening(f"{BASE}/link")],
        "unsubscribed": [opening(leave), pressing("Unsubscribe")],
        "preferences, unsubscribed": [opening(manage)],
        "asked to subscribe again": [opening(manage), pressing("Subscribe again")],
        "digest": [opening(online)],
        "verdict": [opening(judging)],
        "verdict, counted": [opening(judging), pressing("More like this")],
        "verdict taken back": [opening(judging), pressing("More like this"), pressing("Take back")],
        "digest with verdicts": [opening(judging), following("All papers of this digest")],
        "keyword": [opening(keyword)],
        "not found": [opening(f"{BASE}/nothing")],
    }


def _refused(manage: str) -> str:
    """The page that says what is wrong; a browser would not let its subscriber send such a form."""
    form = urlencode(
        {
            "at": "25:00",
            "weekly": "never ever",
            "length": "long",
            "timezone": "berlin",
            "paused_until": "1999-01-01",
            "k-new-1": "tea AND",
            "k-new-2": "milk",
            "n-new-2": "x" * 61,
        }
    )
    with pytest.raises(HTTPError) as refusal:
        urlopen(manage, data=form.encode(), timeout=10)
    page = refusal.value.read().decode()
    refusal.value.close()
    assert refusal.value.code == 422
    assert page.count(" aria-invalid=") == 7
    return page


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_violation_and_nothing_runs_off_the_side(
    correspondence: Correspondence, site: Website, tmp_path: Path, *, is_dark: bool
) -> None:
    mails, pages = _mails(correspondence, tmp_path), _pages(correspondence, site, tmp_path)
    wanted = {name: [*steps, AXE] for name, steps in (mails | pages).items()}
    found = visits(site, wanted, is_dark=is_dark)
    violations = [(name, one) for name, visit in found.items() for one in visit.last.violations]
    assert [
        (name, one) for name, one in violations if name in pages or one["rule"] not in OF_AXE_IN_MAILS
    ] == []
    assert [name for name, one in found.items() if one.last.scrolls] == []
    assert {one.last.address for one in found.values()} > {f"{BASE}/nothing"}


def test_pages_fit_a_phone(correspondence: Correspondence, site: Website, tmp_path: Path) -> None:
    wanted = {name: [*steps, AXE] for name, steps in _pages(correspondence, site, tmp_path).items()}
    found = visits(site, wanted, width=360)
    assert [(name, one) for name, visit in found.items() for one in visit.last.violations] == []
    assert [name for name, one in found.items() if one.last.scrolls] == []


def test_html_validate_finds_no_error_in_mails(correspondence: Correspondence) -> None:
    found = html_errors({mail.name: mail.part("html") for mail in correspondence.mails})
    assert [one for one in found if one["rule"] not in IN_MAILS] == []


def test_html_validate_finds_no_error_in_pages(
    correspondence: Correspondence, site: Website, tmp_path: Path
) -> None:
    found = visits(site, _pages(correspondence, site, tmp_path))
    assert html_errors({name: one.last.html for name, one in found.items()}) == []
