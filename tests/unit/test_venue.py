"""Where a paper was accepted is set off from its comment. Meetings and journals are invented."""

import time

import pytest

from digest.mail.rendering.venue import split_venue

MEETING = "the 12th Conference on Quiet Kettles"


@pytest.mark.parametrize(
    ("comment", "venue", "rest"),
    [
        (f"Accepted at {MEETING} (CQK 2026)", f"Accepted at {MEETING} (CQK 2026)", ""),
        (
            f"8 pages, accepted to {MEETING} (CQK) 2026, Oslo, Norway",
            f"accepted to {MEETING} (CQK) 2026, Oslo, Norway",
            "8 pages",
        ),
        ("12 pages (accepted by Kettles and Tea)", "accepted by Kettles and Tea", "12 pages"),
        ("To appear in J. Tea. 9 pages, 2 figures", "To appear in J. Tea.", "9 pages, 2 figures"),
        (
            "To be published in Tea Lett.; code at https://example.org",
            "To be published in Tea Lett",
            "code at https://example.org",
        ),
        (
            "Camera-ready for CQK 2026. Code: https://example.org/a",
            "Camera-ready for CQK 2026",
            "Code: https://example.org/a",
        ),
        ("Camera ready version of the paper at CQK'26", "Camera ready version of the paper at CQK'26", ""),
        ("Published in Tea 12, 3-9 (2026)", "Published in Tea 12, 3-9 (2026)", ""),
        ("Oral at CQK 2026 (Kettle Track); 7 pages", "Oral at CQK 2026 (Kettle Track)", "7 pages"),
        (
            "9 pages. Spotlight presentation at CQK 2026 https://example.org",
            "Spotlight presentation at CQK 2026",
            "9 pages. https://example.org",
        ),
        (
            "This paper has been accepted by Tea Today. The code is at x.org",
            "This paper has been accepted by Tea Today",
            "The code is at x.org",
        ),
        ("Provisionally accepted at CQK 2026", "Provisionally accepted at CQK 2026", ""),
        ("Phys. Tea D, in press", "Phys. Tea D, in press", ""),
        ("12 pages, Tea Lett accepted", "Tea Lett accepted", "12 pages"),
        ("To appear, Annals of Tea", "To appear, Annals of Tea", ""),
        ("Comments welcome! To appear in Tea J. Math.", "To appear in Tea J. Math.", "Comments welcome!"),
        ("Accepted in J. Tea Mech. (2026)", "Accepted in J. Tea Mech. (2026)", ""),
        ("Findings of CQK 2026", "Findings of CQK 2026", ""),
        ("USENIX Kettle '26", "USENIX Kettle '26", ""),
        ("CQK 2026 Workshop on Steam, 4 pages", "CQK 2026 Workshop on Steam", "4 pages"),
        ("6 pages; CQK2026", "CQK2026", "6 pages"),
        ("IEEE Transactions on Kettles, 2026", "IEEE Transactions on Kettles, 2026", ""),
        ("Workshop on Steam (WS) at CQK 2026. 3 tables", "Workshop on Steam (WS) at CQK 2026", "3 tables"),
        (
            "Accepted at CQK 2026. First authors contributed equally.",
            "Accepted at CQK 2026",
            "First authors contributed equally.",
        ),
        (
            "v2: accepted version to appear in Math. Tea Ann.",
            "accepted version to appear in Math. Tea Ann",
            "v2",
        ),
        ("Accepted to Tea (Series A (Hot)", "Accepted to Tea (Series A (Hot)", ""),
    ],
)
def test_the_venue_is_whole_and_the_rest_stays(comment: str, venue: str, rest: str) -> None:
    assert split_venue(comment) == (venue, rest)


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "12 pages, 3 figures",
        "Submitted to CQK 2026",
        "CQK 2026 submission",
        "Under review at Tea Today",
        "MSC 2020: 05C15",
        "Measured on TPU-19 and GPU-20",
        "Talk at https://example.org/kettle",
        "Never published, and never to be",
        "The paper is not yet accepted",
        "Accepted, Code at https://example.org",
        "v2: typos corrected, June 2026",
    ],
)
def test_what_is_no_venue_stays_in_the_comment(comment: str) -> None:
    assert split_venue(comment) == ("", comment)


@pytest.mark.parametrize(
    "unit", ["accepted at ", "(accepted at ", "The ", "A ", "IEEE ", "12 p", "paper ", "X at Y "]
)
def test_nonsense_takes_time_in_proportion(unit: str) -> None:
    began = time.process_time()
    split_venue(unit * (600 // len(unit)))
    # Some hundred times what it takes.
    assert time.process_time() - began < 3
