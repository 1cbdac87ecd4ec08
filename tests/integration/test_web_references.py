"""What reference managers get of a digest: files of its papers, and COinS on its page."""

import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import rispy
from bibtexparser.entrypoint import parse_string

from tests.factories import invented_paper, make_subscriber
from tests.integration.web_site import Answer, Town, serving_town

TITLES = ["On tea, again", "On tea", "Milk & tea"]
TYPES = {
    "bib": "application/x-bibtex",
    "ris": "application/x-research-info-systems",
    "json": "application/vnd.citationstyles.csl+json",
}


class Coins(HTMLParser):
    """The titles of a page's spans of COinS."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "span" and values.get("class") == "Z3988":
            self.found.append(parse_qs(values["title"] or "", strict_parsing=True))


async def digest_of(town: Town) -> str:
    """The path of a digest with two new papers and a new version."""
    (ada, *_) = town.subscribers
    town.found(invented_paper("2606.50001", "On nothing"))
    town.mail(ada)
    town.now += timedelta(days=1)
    papers = [invented_paper("2606.50002", "On tea"), invented_paper("2606.50003", "Milk & tea")]
    town.found(*papers, invented_paper("2606.50001", "On tea, again", version=2))
    mailing = town.mail(ada)
    assert mailing.pages
    return f"/d/{mailing.pages.digest}"


@pytest.fixture
async def answers(tmp_path: Path) -> dict[str, Answer]:
    ada = make_subscriber("ada@example.org", "tea", replacements="section")
    async with serving_town(tmp_path, [ada]) as town:
        path = await digest_of(town)
        return {name: await town.get(f"{path}{name}") for name in ("", ".bib", ".ris", ".json")}


def titles(name: str, body: str) -> list[str]:
    match name:
        case "bib":
            return [
                entry.fields_dict["title"].value.replace(r"\&", "&") for entry in parse_string(body).entries
            ]
        case "ris":
            return [entry["title"] for entry in rispy.loads(body)]
    return [item["title"] for item in json.loads(body)]


@pytest.mark.parametrize("name", TYPES)
def test_a_digest_is_a_file_for_reference_managers(answers: dict[str, Answer], name: str) -> None:
    answer = answers[f".{name}"]
    assert sorted(titles(name, answer.body)) == sorted(TITLES)
    assert answer.headers["Content-Type"] == f"{TYPES[name]}; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="arxiv-digest-2026-06-17.{name}"'
    assert f'.{name}">' in answers[""].body


def test_the_page_has_each_paper_as_coins(answers: dict[str, Answer]) -> None:
    found = Coins(answers[""].body).found
    assert sorted(one["rft.atitle"][0] for one in found) == sorted(TITLES)
    assert found[0]["rft.au"] == ["Example, Ada", "Sample, Bo"]


@pytest.mark.parametrize("name", TYPES)
async def test_a_wrong_token_has_no_file(town: Town, name: str) -> None:
    assert (await town.get(f"/d/AAAAAAAAAAAAAAAAAAAAAAAA.{name}")).status == 404


async def test_a_title_stays_in_its_attribute(town: Town) -> None:
    title = "\"><script>alert(1)</script> '&amp;"
    town.found(replace(invented_paper("2606.50001"), title=title))
    mailing = town.mail()
    assert mailing.pages
    page = (await town.get(f"/d/{mailing.pages.digest}")).body
    assert [one["rft.atitle"] for one in Coins(page).found] == [[title]]
    assert "<script>" not in page
