"""A message joined from pieces that were encoded before is, byte for byte, the message built whole."""

import email
import email.policy
import gc
import re
import subprocess
import sys
import weakref
from binascii import a2b_qp
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.package_data import templates_folder
from digest.errors import Unwritable
from digest.mail.links import NO_LINKS, Links
from digest.mail.message import SenderIdentity, quoted_printable
from digest.mail.rendering.renderer import Block, Renderer
from digest.mail.rendering.writer import Writer
from digest.model.digest import Digest, Entry, Revision
from digest.model.paper import ArxivId, Paper
from digest.storage.values import Mailing
from tests.examples import examples
from tests.factories import message_of

LETTERHEAD = SenderIdentity(sender="digest@example.org", contact="library@example.org")
RENDERER = Renderer(templates_folder())
KEYWORDS = ("tea", "Erdős graphs", "a = b.", "kettle " * 6, "")
JUDGING_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,70}|[a-c.=]{1,5}", re.ASCII)
WORDS = ("plain", "x" * 90, "=3D", ".", "..", "From", "naïve", "深度学习", "a=b", "<b>", "tab\there", "end ")


def paper(number: int, version: int = 1, words: str = "") -> Paper:
    return Paper(
        id=ArxivId(f"2606.{number:05d}"),
        version=version,
        title=f"How kettles {words} sing, part {number}",
        abstract=f"{words} We listened. " * (1 + number % 9),
        authors=("Ada Example", f"Bo {words}")[: number % 3],
        categories=("cs.SD", "physics.flu-dyn"),
        submitted_at=datetime(2026, 6, 14, tzinfo=UTC),
        comment=f"{number} pages, {words}" if number % 2 else None,
    )


def mailing(
    entries: Sequence[Entry] = (),
    revisions: Sequence[Revision] = (),
    *,
    number: int = 1,
    is_first: bool = False,
) -> Mailing:
    digest = Digest(
        email=f"reader{number}@example.org",
        name="A Reader",
        planned_at=datetime(2026, 6, 16, 7, tzinfo=UTC),
        dated_on=date(2026, 6, 16),
        keywords=KEYWORDS,
        entries=tuple(entries),
        is_first=is_first,
        revisions=tuple(revisions),
    )
    return Mailing(number=number, token=f"m{number}", attempts=0, digest=digest)


PAPERS = st.builds(
    paper,
    st.integers(1, 12),
    st.integers(1, 2),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
)
ENTRIES = st.builds(
    lambda one, keywords: Entry(paper=one, keywords=tuple(keywords)),
    PAPERS,
    st.lists(st.sampled_from(KEYWORDS), max_size=3, unique=True),
)
REVISIONS = st.builds(lambda one: Revision(paper=one, from_version=1), PAPERS)
MAILINGS = st.builds(
    lambda entries, revisions, number, is_first: mailing(
        entries, revisions, number=number, is_first=is_first
    ),
    st.lists(ENTRIES, max_size=5),
    st.lists(REVISIONS, max_size=2),
    st.integers(1, 999),
    st.booleans(),
)


def whole(one: Mailing, links: Links = NO_LINKS) -> bytes:
    rendered = Writer(RENDERER, LETTERHEAD).rendered(one.digest, links)
    return message_of(one.digest, rendered, LETTERHEAD, one.token, links)


def parts(message: bytes) -> tuple[EmailMessage, str, str]:
    """The parsed message, its text and its HTML; it must have no defect anywhere."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not [flaw for part in parsed.walk() for flaw in part.defects]
    assert not [flaw for value in parsed.values() for flaw in value.defects]
    text, html = (part.get_content().replace("\r\n", "\n") for part in parsed.iter_parts())
    return parsed, text, html


@examples(100)
@given(several=st.lists(MAILINGS, min_size=1, max_size=5))
def test_a_writer_gives_the_bytes_of_the_whole_whatever_it_wrote_before(several: list[Mailing]) -> None:
    writer = Writer(RENDERER, LETTERHEAD)
    expected = [whole(one) for one in several]
    assert [writer.write(one).message for one in several] == expected
    assert [writer.write(one).message for one in reversed(several)] == expected[::-1]


@examples(100)
@given(
    several=st.lists(
        st.tuples(
            MAILINGS,
            st.sampled_from(["d.example.org", "x.org/~a=b/.c", "y" * 90]),
            st.from_regex(JUDGING_TOKEN, fullmatch=True),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_links_of_one_subscriber_are_in_no_mail_of_another(
    several: list[tuple[Mailing, str, str]],
) -> None:
    addresses = {one: f"https://{base}/i/{token}" for one, base, token in several}
    writer = Writer(RENDERER, LETTERHEAD, lambda one: Links(judging=addresses[one]))
    for one, address in addresses.items():
        message = writer.write(one).message
        assert message == whole(one, Links(judging=address))
        html = parts(message)[2]
        assert set(re.findall(r'"(https://[^"]*)/(?:more|less)/', html)) <= {address}
        assert html.count(f'"{address}/') == 2 * len(one.digest.entries)


def test_those_with_the_same_papers_get_what_each_alone_would_get() -> None:
    """Longer addresses leave less room: what is shown of the papers changes from some length on."""
    entries = [
        Entry(paper=paper(number, words="plain = " * 2 * number), keywords=("tea",))
        for number in range(1, 50)
    ]
    one = mailing(entries).digest
    writer = Writer(RENDERER, LETTERHEAD, lambda one: Links(judging=f"https://d.example.org/i/{one.token}"))
    shown = set()
    for length in range(1, 900, 60):
        digest = replace(one, email=f"{'x' * length}@example.org", length="full")
        mailing_ = Mailing(number=length, token=f"m{length:03}", attempts=0, digest=digest)
        message = writer.write(mailing_).message
        assert message == whole(mailing_, Links(judging=f"https://d.example.org/i/m{length:03}"))
        shown.add(parts(message)[2].count("<h2"))
    assert len(shown) > 1


@examples(100)
@given(one=MAILINGS)
def test_a_message_is_read_back_without_defect_as_what_was_rendered(one: Mailing) -> None:
    outgoing = Writer(RENDERER, LETTERHEAD).write(one)
    parsed, text, html = parts(outgoing.message)
    rendered = Writer(RENDERER, LETTERHEAD).rendered(one.digest)
    assert (text, html) == (rendered.text, rendered.html)
    assert parsed["To"].addresses[0].addr_spec == outgoing.recipient == one.digest.email
    assert parsed["Message-ID"] == f"<{outgoing.token}@example.org>"
    assert max(map(len, outgoing.message.split(b"\r\n"))) <= 98
    assert b"\n" not in outgoing.message.replace(b"\r\n", b"")
    assert outgoing.is_dotless
    assert b"\n." not in outgoing.message


@given(
    lines=st.lists(st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=90))
)
def test_whole_lines_encoded_apart_are_the_encoding_of_the_whole(lines: list[str]) -> None:
    ended = [f"{line}\n" for line in lines]
    assert b"".join(map(quoted_printable, ended)) == quoted_printable("".join(ended))


@pytest.mark.parametrize(
    "text", [".", "..", "...\n.", "." * 200 + "\n", f"{'a' * 75}.b\n", f"{'é' * 25}...\n"]
)
def test_no_encoded_line_begins_with_a_dot(text: str) -> None:
    encoded = quoted_printable(text)
    assert not any(line.startswith(b".") for line in encoded.split(b"\r\n"))
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert a2b_qp(encoded).decode().replace("\r\n", "\n") == text


SAME = mailing(
    [
        Entry(paper=paper(number, words="naïve = 深"), keywords=KEYWORDS[: number % 4])
        for number in range(1, 9)
    ],
    [Revision(paper=paper(20, version=3), from_version=1)],
)

IN_ANOTHER_PROCESS = """
from hashlib import sha256
from tests.unit.test_writing import LETTERHEAD, RENDERER, SAME, Writer
print(sha256(Writer(RENDERER, LETTERHEAD).write(SAME).message).hexdigest())
"""


def test_another_process_gives_the_same_bytes() -> None:
    writer = Writer(RENDERER, LETTERHEAD)
    for number in range(1, 9):
        writer.write(mailing([Entry(paper=paper(number), keywords=("tea",))]))
    other = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
    )
    assert other.stdout.strip() == sha256(writer.write(SAME).message).hexdigest()


def test_a_paper_that_comes_with_another_text_is_written_anew() -> None:
    writer = Writer(RENDERER, LETTERHEAD)
    for words in ("once", "twice"):
        one = mailing([Entry(paper=paper(1, words=words), keywords=("tea",))])
        assert f"How kettles {words} sing" in parts(writer.write(one).message)[1]


def test_a_paper_is_rendered_once_for_all_its_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Paper] = []
    renderer = Renderer(templates_folder())
    of_paper = renderer.paper

    def noted(one: Paper, *, level: int) -> Block:
        rendered.append(one)
        return of_paper(one, level=level)

    monkeypatch.setattr(renderer, "paper", noted)
    writer = Writer(renderer, LETTERHEAD)
    for number, keyword in enumerate(KEYWORDS, start=1):
        writer.write(mailing([Entry(paper=paper(1), keywords=(keyword,))], number=number))
    assert rendered == [paper(1)]


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("digest.txt.j2", "{{ headline }}\n"),
        ("digest.txt.j2", "papers: {{ papers }}\n"),
        ("digest.html.j2", "{{ style }}\n{{ papers }}\n{{ papers }}\n"),
        ("paper.html.j2", "<tr><td>{{ keywords }}</td></tr>\n"),
        ("paper.txt.j2", "{{ card.nonsense }}\n"),
    ],
)
def test_a_template_that_does_not_fit_makes_the_digest_unwritable(
    name: str, template: str, tmp_path: Path
) -> None:
    for shipped in templates_folder().glob("*.j2"):
        (tmp_path / shipped.name).write_text(shipped.read_text())
    (tmp_path / name).write_text(template)
    writer = Writer(Renderer(tmp_path), LETTERHEAD)
    with pytest.raises(Unwritable, match=r"template|" + name.replace(".", r"\.")):
        writer.write(SAME)


def test_a_template_without_a_last_line_break_is_given_one(tmp_path: Path) -> None:
    for shipped in templates_folder().glob("*.j2"):
        (tmp_path / shipped.name).write_text(shipped.read_text().rstrip("\n"))
    renderer = Renderer(tmp_path)
    writer = Writer(renderer, LETTERHEAD)
    rendered, message = writer.rendered(SAME.digest), writer.write(SAME).message
    assert message == message_of(SAME.digest, rendered, LETTERHEAD, SAME.token)
    assert rendered.html.count('<h3 dir="auto"') == len(SAME.digest.entries)


def test_what_a_writer_keeps_goes_with_it() -> None:
    writer = Writer(RENDERER, LETTERHEAD)
    writer.write(mailing([Entry(paper=paper(1), keywords=("tea",))]))
    kept = weakref.ref(writer)
    gc.disable()
    try:
        del writer
        assert kept() is None
    finally:
        gc.enable()
