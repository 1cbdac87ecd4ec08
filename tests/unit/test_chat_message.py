"""A message of a chat has as many papers as fit, whatever their number is."""

from dataclasses import replace

import pytest

from digest.channels.chat.message import DIALECTS, Item, Message, write


def message_with(papers: int) -> Message:
    items = (
        Item(title=f"On *tea* {number}", byline="A. Example", url=f"https://arxiv.org/abs/2606.{number:05}")
        for number in range(papers)
    )
    return Message(heading="tea", items=tuple(items), page="https://example.org/d/x")


@pytest.mark.parametrize("service", DIALECTS)
@pytest.mark.parametrize("papers", [0, 1, 2, 30])
def test_one_more_paper_would_not_fit(service: str, papers: int) -> None:
    dialect, message = DIALECTS[service], message_with(papers)
    for most in range(60, 3_000, 97):
        text = write(message, dialect, most)
        shown = text.count("2606.")
        more = write(message, dialect, most + 300)
        if shown:
            assert dialect.size(text) <= most
        if shown < papers:
            assert more.count("2606.") > shown
            assert f"{papers - shown} more" in text
        else:
            assert " more" not in text


def test_a_digest_of_thousands_of_papers_is_written_in_time() -> None:
    escaped = 0

    def escape(text: str) -> str:
        nonlocal escaped
        escaped += 1
        return text

    papers = 5_000
    text = write(message_with(papers), replace(DIALECTS["discord"], escape=escape), 2_000)
    assert "more: https://example.org/d/x" in text
    assert escaped < 3 * papers
