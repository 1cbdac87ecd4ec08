"""An operator's templates go before the shipped ones; a broken one is told of before a digest needs it."""

from pathlib import Path

import pytest

from digest.config.package_data import templates_folder
from digest.errors import ConfigurationError, Unwritable
from digest.mail.links import Links
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.template_check import try_out
from digest.mail.rendering.writer import Writer
from tests.unit.rendered import digest, entry, render

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")


def writer(folder: Path) -> Writer:
    return Writer(Renderer(folder, templates_folder()), LETTERHEAD)


def test_the_shipped_templates_pass_the_trial(tmp_path: Path) -> None:
    try_out(writer(tmp_path))


def test_a_template_of_ones_own_is_used_and_the_others_are_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "keywords.txt.j2").write_text("Because of {{ keywords | join(' & ') }}!\n", encoding="utf-8")
    both = entry(1, ("compilers", "waiting"))
    own, shipped = writer(tmp_path).rendered(digest(both)), render(both)
    assert "\nBecause of waiting!\n" in own.text
    assert own.text == shipped.text.replace("     Also matches: waiting\n", "Because of waiting!\n")
    assert own.html == shipped.html


def test_a_template_may_build_on_another_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "base.j2").write_text("<{% block inner %}{% endblock %}>\n", encoding="utf-8")
    child = '{% extends "base.j2" %}{% block inner %}{{ keywords[0] }}{% endblock %}\n'
    (tmp_path / "keywords.txt.j2").write_text(child, encoding="utf-8")
    both = entry(1, ("compilers", "waiting"))
    assert "\n<waiting>\n" in writer(tmp_path).rendered(digest(both)).text


@pytest.mark.parametrize(
    ("name", "template", "problem"),
    [
        ("digest.txt.j2", "one\n{% for %}\n", r"digest\.txt\.j2, line 2"),
        ("paper.html.j2", "{{ card.nonsense }}\n", r"paper\.html\.j2 does not fit .*nonsense"),
        (
            "digest.html.j2",
            "<p>{{ papers }}</p>\n",
            r"digest\.html\.j2 has to print .*papers.* alone on a line",
        ),
        ("digest.txt.j2", "{{ headline }}\n", r"digest\.txt\.j2 has to print summary, papers once"),
        (
            "paper.html.j2",
            "{{ keywords }}\n{{ keywords }}\n{{ abstract }}\n",
            r"paper\.html\.j2 has to print",
        ),
        ("judging.html.j2", "{{ more.nonsense }}\n", r"judging\.html\.j2 does not fit .*nonsense"),
        ("more.txt.j2", "{{ nonsense }}\n", r"more\.txt\.j2 does not fit .*nonsense"),
        ("line.html.j2", "{{ card.authors[99] }}\n", r"line\.html\.j2 does not fit"),
        ("line.html.j2", "{{ 1 / 0 }}\n", r"line\.html\.j2 does not fit .*division"),
        (
            "keywords.html.j2",
            "{{ keywords | shout }}\n",
            r"keywords\.html\.j2, line 1: No filter named 'shout'",
        ),
        ("keywords.txt.j2", "{% include 'other.j2' %}\n", r"keywords\.txt\.j2 does not fit .*other\.j2"),
    ],
)
def test_a_broken_template_is_named_before_it_is_needed(
    name: str, template: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(template, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem):
        try_out(writer(tmp_path))


def test_a_template_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "digest.txt.j2").write_bytes("{{ papers }} £".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"digest\.txt\.j2 is not UTF-8"):
        writer(tmp_path)


def test_a_template_that_fails_at_one_digest_makes_that_one_unwritable(tmp_path: Path) -> None:
    (tmp_path / "keywords.txt.j2").write_text("{{ 1 / (keywords[0] | length - 3) }}\n", encoding="utf-8")
    own = writer(tmp_path)
    try_out(own)
    assert own.rendered(digest(entry(1, ("compilers", "waiting")))).text
    with pytest.raises(Unwritable, match="division"):
        own.rendered(digest(entry(1, ("compilers", "tea"))))


def test_links_lead_from_both_parts() -> None:
    links = Links(
        unsubscribe="https://digest.example.org/u/x",
        manage="https://digest.example.org/p/x",
        online="https://digest.example.org/d/x",
        keyword_pages={"compilers": "https://digest.example.org/k/x"},
    )
    two = digest(entry(1), entry(2, ("waiting",)))
    shown = Writer(Renderer(templates_folder()), LETTERHEAD).rendered(two, links)
    for url in (links.unsubscribe, links.manage, links.online):
        assert f'href="{url}"' in shown.html
        assert f"\n{url}\n" in shown.text
    assert (
        '<a href="https://digest.example.org/k/x" style="color:#1c1b19;text-decoration:none">compilers</a>'
        in shown.html
    )
    assert "mailto:" not in shown.html


def test_a_template_that_lets_subscribers_leave_by_mail_has_an_address_for_it(tmp_path: Path) -> None:
    (tmp_path / "digest.txt.j2").write_text(
        "{{ summary }}\n{{ papers }}\n{{ leave_url }}\n", encoding="utf-8"
    )
    own = writer(tmp_path)
    asked = "mailto:library@example.org?subject=unsubscribe%20reader%40example.org"
    assert own.rendered(digest(entry(1))).text.endswith(f"\n{asked}\n")
    links = Links(leave_by_mail="bounce+leave-abc@example.org")
    assert own.rendered(digest(entry(1)), links).text.endswith(
        "\nmailto:bounce+leave-abc@example.org?subject=unsubscribe\n"
    )
