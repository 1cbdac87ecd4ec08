"""Entries of subscribers come out of TOML and CSV as they went in, or every problem is named at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config.loader import Defaults
from digest.errors import ConfigurationError
from digest.subscribers import Form
from digest.subscribers.exchange import read_entries, write_entries
from digest.subscribers.spreadsheet import fits_csv, read_csv
from tests.examples import examples

DEFAULTS = Defaults()
WHOLE = {
    "email": "zoe@example.org",
    "name": 'Zoë, the 1st; "Z"',
    "keywords": [
        "graph neural network",
        {"query": "reinforcement learning", "name": "RL"},
        '"a, b" OR ti:"x; y"',
    ],
    "at": "07:30",
    "timezone": "Europe/Berlin",
    "weekly": "fri",
    "length": "full",
    "discover": 3,
    "exclude": ["survey", "au:marlow OR cat:cs.CY"],
    "categories": ["cs.LG", "stat.*"],
    "crosslists": False,
    "replacements": "section",
}
LEAST = {"email": "o'neil+lists@example.org", "keywords": ["=compiler"]}
GUARDED = {"email": "kim@example.org", "keywords": ["'=tea", "=milk", "'=fig"], "exclude": ["'=plum"]}


def csv_of(*lines: str) -> list[dict[str, object]]:
    return read_entries("\n".join(lines), Form.CSV, "people.csv", DEFAULTS)


def problems(text: str, form: Form = Form.CSV) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read_entries(text, form, f"people.{form}", DEFAULTS)
    return caught.value.problems


@pytest.mark.parametrize("form", Form)
def test_entries_come_back_as_they_were(form: Form) -> None:
    text = write_entries([WHOLE, LEAST, GUARDED], form)
    assert read_entries(text, form, "x", DEFAULTS) == [WHOLE, LEAST, GUARDED]


NAMES = (
    st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=12)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)


@given(NAMES, st.none() | NAMES, st.sampled_from(["=tea", '"a; \\ b"', "@home", "ti:x AND NOT y"]))
@examples(200)
def test_csv_keeps_any_name_and_what_looks_like_a_formula(name: str, own: str | None, keyword: str) -> None:
    entry = {
        "email": "a@example.org",
        "name": name,
        "keywords": [{"query": keyword, "name": own} if own else keyword, "milk"],
    }
    assert read_csv(write_entries([entry], Form.CSV), "x") == ([("x, line 2, a@example.org", entry)], [])


def test_a_spreadsheet_finds_no_formula() -> None:
    cells = write_entries([LEAST | {"name": "+1"}], Form.CSV).splitlines()[1].split(",")
    assert cells[:3] == ["o'neil+lists@example.org", "'+1", "'=compiler"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_separator_a_mark_and_windows_lines_are_read(separator: str) -> None:
    rows = [["Keywords", "E-mail".replace("-", ""), "AT", "crosslists", "categories", "discover"]]
    rows += [['"tea; T = ""green tea"""', "a@example.org", "7:05", "FALSE", "cs.LG", "2"], [], ["", " "]]
    rows += [['"tea\nmilk\n"', "b@example.org", "07:05:00", "", "", "", ""]]
    text = "\r\n".join(separator.join(row) for row in rows)
    first, second = read_entries(text, Form.CSV, "people.csv", DEFAULTS)
    assert first == {
        "keywords": ["tea", {"query": '"green tea"', "name": "T"}],
        "email": "a@example.org",
        "at": "07:05",
        "crosslists": False,
        "categories": ["cs.LG"],
        "discover": 2,
    }
    assert second == {"keywords": ["tea", "milk"], "email": "b@example.org", "at": "07:05"}


def test_the_separator_can_be_said_as_spreadsheets_do() -> None:
    assert csv_of("sep=;", "email;keywords", "a@example.org;tea") == [
        {"email": "a@example.org", "keywords": ["tea"]}
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ["", '"sep=,"{}', "{}"])
def test_only_the_line_of_the_columns_says_what_separates_them(before: str, end: str) -> None:
    lines = ["email,keywords", "a@example.org,tea; milk; fig; plum; pear; rye", "b@example.org,tea", ""]
    text = before.replace("{}", end) + end.join(lines)
    assert read_entries(text, Form.CSV, "people.csv", DEFAULTS) == [
        {"email": "a@example.org", "keywords": ["tea", "milk", "fig", "plum", "pear", "rye"]},
        {"email": "b@example.org", "keywords": ["tea"]},
    ]


def test_empty_rows_before_the_columns_do_not_count() -> None:
    assert csv_of(";", ";;", "email;keywords", "a@example.org;tea") == [
        {"email": "a@example.org", "keywords": ["tea"]}
    ]


def test_every_problem_is_named_with_its_line() -> None:
    text = (
        "email,keywords,at,crosslists\n"
        "a@example.org,tea,25:00,\n"
        'bad,"a, b",,maybe\n'
        "\n"
        ",tea\n"
        '"c@example.org","milk\ntea"\n'
        "c@example.org,milk,,,x\n"
        "d@example.org,,07:00\n"
        "A@example.org,tea\n"
    )
    found = problems(text)
    assert [one.partition(":")[0] for one in found] == [
        "people.csv, line 2, a@example.org",
        *["people.csv, line 3, bad"] * 3,
        "people.csv, line 5",
        "people.csv, line 8",
        "people.csv, line 9, d@example.org",
        "people.csv, line 10, A@example.org",
    ]
    assert "5 cells, and the first line has 4" in found[5]
    assert "the same address as in people.csv, line 2, a@example.org" in found[-1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "people.csv: is empty; the first line must name the columns"),
        ("email,kyword\na@example.org,tea", "people.csv, line 1: column 'kyword': unknown key; did you mean"),
        ("email\na@example.org", "people.csv, line 1: there is no column keywords"),
        ("email,email,keywords\n", "people.csv, line 1: column 'email' is there twice"),
        (
            'email,keywords\n"a@example.org,tea\nb@example.org,tea\n',
            "people.csv, line 2: unexpected end of data",
        ),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in problems(text)), problems(text)


def test_problems_of_toml_have_their_line_too() -> None:
    text = '[[subscriber]]\nemail = "a@example.org"\nkeywords = ["tea"]\n[[subscriber]]\nkeywords = []\n'
    assert all(one.startswith("people.toml, entry 2 (line 4): ") for one in problems(text, Form.TOML))


def test_an_entry_that_csv_cannot_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"a@example\.org: this entry cannot be written as CSV"):
        write_entries([{"email": "a@example.org", "keywords": ["neural\noperator"]}], Form.CSV)


@pytest.mark.parametrize(("keyword", "fits"), [("tea;milk", False), ('"tea;milk"', True), ("=tea", True)])
def test_which_keywords_csv_can_have(keyword: str, fits: bool) -> None:
    assert fits_csv(keyword) == fits
    entry = {"email": "a@example.org", "keywords": [keyword]}
    if fits:
        write_entries([entry], Form.CSV)
    else:
        with pytest.raises(ConfigurationError):
            write_entries([entry], Form.CSV)


def test_each_keyword_of_a_cell_may_have_the_apostrophe_of_a_spreadsheet() -> None:
    (entry,) = csv_of("email;keywords", "kim@example.org;\"'=compiler; tea; '=parser; RL = '=x\"")
    assert entry["keywords"] == ["=compiler", "tea", "=parser", {"query": "'=x", "name": "RL"}]


def test_of_thirty_rows_every_bad_one_is_named_in_order() -> None:
    rows = [f"r{number}@example.org;tea;07:00" for number in range(30)]
    rows[4] = "r4@example.org;tea;25:00"
    rows[11] = "r11@example.org;tea;07:00;more"
    rows[19] = "nobody;tea;07:00"
    rows[27] = 'r27@example.org;"tea;07:00'
    text = "\r\n".join(["\ufeffemail;keywords;at", *rows, ""])
    with pytest.raises(ConfigurationError) as caught:
        read_entries(text.removeprefix("\ufeff"), Form.CSV, "people.csv", DEFAULTS)
    lines = [problem.partition(":")[0].partition(", line ")[2] for problem in caught.value.problems]
    assert lines == ["6, r4@example.org", "13", "21, nobody", "29"]
