"""subscribers.toml becomes subscribers, or every problem is named at once."""

import operator
import pickle
from dataclasses import fields, replace
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from email_validator import validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from digest.config.loader import Defaults
from digest.config.parsing import address_key, parse_address
from digest.errors import ConfigurationError
from digest.subscribers.entry_parser import load_subscribers, parse_subscribers
from digest.subscribers.subscriber import Subscriber

DEFAULTS = Defaults(at=time(6, 30), timezone=ZoneInfo("Europe/Berlin")).model_copy(update={"weekly": 2})
GOOD = 'email = "reader@example.org"\nkeywords = ["neural operator"]\n'


def parse(*entries: str) -> tuple[Subscriber, ...]:
    text = "\n".join(f"[[subscriber]]\n{entry}\n" for entry in entries)
    return parse_subscribers(text, Path("who.toml"), DEFAULTS)


def problems(*entries: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse(*entries)
    return caught.value.problems


def test_what_is_left_out_comes_from_the_defaults() -> None:
    (subscriber,) = parse(GOOD)
    assert subscriber.email == "reader@example.org"
    assert subscriber.name is None
    assert [keyword.text for keyword in subscriber.keywords] == ["neural operator"]
    assert (
        subscriber.send_schedule.send_at,
        subscriber.send_schedule.timezone.key,
        subscriber.send_schedule.weekly,
    ) == (
        time(6, 30),
        "Europe/Berlin",
        2,
    )


def test_an_entry_can_say_all_of_it() -> None:
    (subscriber,) = parse(
        f'{GOOD}name = "A Reader"\nat = "23:59"\ntimezone = "UTC"\nweekly = "Sun"\n'
        'length = "full"\ndiscover = 2\n'
    )
    assert (subscriber.name, subscriber.send_schedule.send_at, subscriber.send_schedule.timezone.key) == (
        "A Reader",
        time(23, 59),
        "UTC",
    )
    assert subscriber.send_schedule.weekly == 6
    assert subscriber.length == "full"
    assert subscriber.discover == 2


def test_filters_are_off_unless_an_entry_asks_for_them() -> None:
    (subscriber,) = parse(GOOD)
    assert (subscriber.filters.exclude, subscriber.filters.categories, subscriber.filters.crosslists) == (
        (),
        (),
        True,
    )
    assert subscriber.filters.replacements == "never"


def test_an_entry_can_have_filters() -> None:
    (subscriber,) = parse(
        f'{GOOD}exclude = ["survey", "au:marlow OR cat:cs.CY"]\ncategories = ["CS.lg", "Stat.*", "hep-th"]\n'
        'crosslists = false\nreplacements = "section"\n'
    )
    assert [keyword.text for keyword in subscriber.filters.exclude] == ["survey", "au:marlow OR cat:cs.CY"]
    assert subscriber.filters.categories == ("cs.LG", "stat.*", "hep-th")
    assert (subscriber.filters.crosslists, subscriber.filters.replacements) == (False, "section")


def test_empty_filters_are_none() -> None:
    (subscriber,) = parse(f"{GOOD}exclude = []\ncategories = []\ncrosslists = true\n")
    assert (subscriber.filters.exclude, subscriber.filters.categories) == ((), ())


def test_an_entry_can_ask_for_every_day_where_the_default_is_weekly() -> None:
    assert parse(f'{GOOD}weekly = "never"')[0].send_schedule.weekly is None


def test_a_time_can_be_one_of_tomls_own() -> None:
    assert parse(f"{GOOD}at = 18:05:00")[0].send_schedule.send_at == time(18, 5)


def test_names_and_keywords_are_one_line() -> None:
    (subscriber,) = parse(
        'email = "a@example.org"\nname = "A\\r\\nBcc: b"\nkeywords = ["neural\\n operator"]'
    )
    assert subscriber.name == "A Bcc: b"
    assert subscriber.keywords[0].text == "neural operator"


def test_subscribers_keep_the_order_of_the_file() -> None:
    entries = [f'email = "{name}@example.org"\nkeywords = ["x ray"]' for name in "cab"]
    assert [one.email[0] for one in parse(*entries)] == ["c", "a", "b"]


def test_a_file_without_entries_has_no_subscribers() -> None:
    assert parse() == ()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (f"{GOOD}keyword = 1", "keyword: unknown key; did you mean keywords?"),
        (
            f"{GOOD}zzz = 1",
            "zzz: unknown key; known keys are email, name, keywords, at, timezone, weekly, length, discover",
        ),
        ('keywords = ["x ray"]', "email: missing"),
        ('email = "reader"\nkeywords = ["x ray"]', 'email = "reader": must be a mail address'),
        (
            'email = ["a@example.org"]\nkeywords = ["x ray"]',
            'email = ["a@example.org"]: must be a mail address',
        ),
        ('email = "a@example.org"', "keywords: missing"),
        ('email = "a@example.org"\nkeywords = []', "keywords: empty"),
        ('email = "a@example.org"\nkeywords = "x ray"', 'keywords: "x ray" is not a list'),
        ('email = "a@example.org"\nkeywords = ["x ray", " "]', 'keywords, number 2: " ": must be text'),
        ('email = "a@example.org"\nkeywords = [5]', "keywords, number 1: 5: must be text"),
        (
            'email = "a@example.org"\nkeywords = ["neural operators", "Neural-Operator"]',
            'keywords, number 2: "Neural-Operator" is the same as "neural operators"',
        ),
        (f"{GOOD}name = 5", "name = 5: must be text"),
        (f'{GOOD}at = "24:00"', 'at = "24:00": must be HH:MM'),
        (f'{GOOD}at = "7:5"', 'at = "7:5": must be HH:MM'),
        (f"{GOOD}at = 07:00:30", "at = "),
        (f'{GOOD}timezone = "Berlin"', 'timezone = "Berlin": must be the name of a time zone'),
        (f'{GOOD}timezone = "europe/paris"', "did you mean Europe/Paris?"),
        (f'{GOOD}timezone = "../etc/passwd"', "must be the name of a time zone"),
        (f'{GOOD}timezone = "Europe"', "must be the name of a time zone"),
        (f"{GOOD}timezone = 1", "must be the name of a time zone"),
        (f'{GOOD}weekly = "caturday"', 'weekly = "caturday": must be one of mon, tue'),
        (f'{GOOD}length = "long"', 'length = "long": must be "short" (about 600 words), "normal"'),
        (f"{GOOD}length = 600", "length = 600: must be"),
        (f"{GOOD}discover = -1", "discover = -1: must be a number of papers from 0 to 10"),
        (f"{GOOD}weekly = true", "weekly = true: must be one of mon, tue"),
        (f"{GOOD}excludes = []", "excludes: unknown key; did you mean exclude?"),
        (f'{GOOD}exclude = "survey"', 'exclude: "survey" is not a list of keywords; write exclude = ["'),
        (f'{GOOD}exclude = ["survey", ""]', 'exclude, number 2: "": must be text'),
        (f'{GOOD}exclude = [{{ query = "survey", name = "S" }}]', "exclude, number 1: {"),
        (f'{GOOD}exclude = ["surveys", "Survey"]', 'exclude, number 2: "Survey" is the same as "surveys"'),
        (f'{GOOD}exclude = ["Neural-Operators"]', 'exclude: "Neural-Operators" is also a keyword'),
        (f'{GOOD}categories = "cs.LG"', 'categories: "cs.LG" is not a list; write codes'),
        (f'{GOOD}categories = ["cs.LG", "cs.lg"]', 'categories, number 2: "cs.lg" is there already'),
        (f'{GOOD}categories = ["cs.LG", 5]', "categories, number 2: 5: must be a category of arXiv"),
        (
            f'{GOOD}categories = [""]',
            'must be a category of arXiv, for example "cs.LG" or "stat.*"; see https',
        ),
        (f'{GOOD}categories = ["cs.LK"]', 'did you mean "cs.LO" (Logic in Computer Science)?'),
        (f'{GOOD}categories = ["machine learning"]', 'did you mean "cs.LG" (Machine Learning)?'),
        (f'{GOOD}categories = ["cs"]', 'for all of cs write "cs.*"'),
        (f'{GOOD}categories = ["stats.*"]', 'did you mean "stat.*"?'),
        (f'{GOOD}categories = ["hep-th.*"]', 'did you mean "hep-th" (High Energy Physics - Theory)?'),
        (f'{GOOD}categories = ["*"]', "see https://arxiv.org/category_taxonomy"),
        (f'{GOOD}crosslists = "no"', 'crosslists = "no": must be true or false'),
        (f"{GOOD}crosslists = false", "crosslists = false: needs categories, for example"),
        (f"{GOOD}replacements = true", 'replacements = true: must be "never", or "section"'),
    ],
)
def test_a_mistake_is_named_with_file_entry_and_what_is_allowed(entry: str, problem: str) -> None:
    (found,) = problems('email = "first@example.org"\nkeywords = ["x ray"]', entry)
    assert found.startswith("who.toml, entry 2 (line 5)")
    assert problem in found


def test_a_bad_keyword_is_shown_with_its_place_indented() -> None:
    (found,) = problems('email = "a@example.org"\nkeywords = ["x ray", "neural AND (operator"]')
    first, *rest = found.splitlines()
    assert first.startswith("who.toml, entry 1 (line 1), a@example.org: keywords, number 2: ")
    assert any(line.strip() == "neural AND (operator" for line in rest)
    assert all(line.startswith("    ") for line in rest)


def test_a_bad_exclusion_is_shown_with_its_place_as_a_keyword_is() -> None:
    (found,) = problems(f'{GOOD}exclude = ["x ray", "neural AND (operator"]')
    assert found.startswith("who.toml, entry 1 (line 1), reader@example.org: exclude, number 2: ")
    *_, shown, place = found.splitlines()[:3]
    assert shown.strip() == "neural AND (operator"
    assert place.strip() == "^"


def test_a_bad_category_alone_does_not_make_cross_lists_a_problem_too() -> None:
    (found,) = problems(f'{GOOD}categories = ["cs.LK"]\ncrosslists = false')
    assert "cs.LK" in found


def test_a_keyword_may_have_a_name_of_the_subscribers_own() -> None:
    (subscriber,) = parse(
        'email = "a@example.org"\nkeywords = ["x ray", { query = "neural  operator", name = "N O" }, '
        '{ query = "tea" }]\n'
    )
    assert [(one.text, one.name) for one in subscriber.keywords] == [
        ("x ray", None),
        ("neural operator", "N O"),
        ("tea", None),
    ]
    assert [one.label for one in subscriber.keywords] == ["x ray", "N O (neural operator)", "tea"]


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ('{ query = "tea", nam = "T" }', "keywords, number 1: nam: unknown key; did you mean name?"),
        ('{ query = "tea", as = "T" }', "as: unknown key; known keys are query, name"),
        ('{ name = "T" }', 'query is missing; write { query = "reinforcement learning", name = "RL" }'),
        ('{ query = 5, name = "T" }', "number 1: 5: must be text in quotes"),
        ('{ query = "tea AND", name = "T" }', "keywords, number 1: "),
        ('{ query = "tea", name = "" }', 'name = "": must be text in one line, of 1 to 60 characters'),
        ('{ query = "tea", name = " " }', 'name = " ": must be text'),
        ('{ query = "tea", name = 5 }', "name = 5: must be text"),
        (f'{{ query = "tea", name = "{"T" * 61}" }}', "of 1 to 60 characters"),
        ('{ query = "tea", name = "a\\nb" }', "must be text in one line"),
        ('{ query = "tea", name = "a\\u0007b" }', "must be text in one line"),
        ('{ query = "tea", name = "a\\u202eb" }', "must be text in one line"),
        ('{ query = "tea", name = "T" }, { query = "teas", name = "U" }', '"teas" is the same as "tea"'),
        (
            '{ query = "tea", name = "T" }, { query = "ox", name = "t" }',
            'the name "t" would mean both "tea" and "ox"; choose another name',
        ),
        ('"ox", { query = "tea", name = "OX" }', 'the name "OX" would mean both "ox" and "tea"'),
        ('["tea", "T"]', 'number 1: ["tea", "T"]: must be text in quotes'),
    ],
)
def test_a_wrong_name_of_a_keyword_is_told_with_what_is_right(keywords: str, problem: str) -> None:
    (found,) = problems(f'email = "a@example.org"\nkeywords = [{keywords}]')
    assert problem in found


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        'email = "reader"\nkeywords = []\nat = "x"',
        'mail = "b@example.org"',
        f'{GOOD}weekly = "x"\ntimezone = "x"',
    )
    assert [problem.split(", ")[1].split(" (")[0] for problem in found] == (
        ["entry 1"] * 3 + ["entry 2"] * 3 + ["entry 3"] * 2
    )


@pytest.mark.parametrize("again", ["reader@example.org", "READER@example.org", "reader@Example.ORG"])
def test_an_address_may_have_one_entry_only(again: str) -> None:
    (found,) = problems(GOOD, f'email = "{again}"\nkeywords = ["x ray"]')
    assert found.startswith(f"who.toml, entry 2 (line 6), {again}: email: the same address as in entry 1")


def test_the_address_mailed_is_the_one_written() -> None:
    assert parse('email = "Reader@Example.org"\nkeywords = ["x ray"]')[0].email == "Reader@Example.org"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[[subscribers]]\nemail = "a@example.org"',
            "who.toml: subscribers: unknown key; did you mean subscriber?",
        ),
        (
            '[subscriber]\nemail = "a@example.org"',
            "who.toml: subscriber: must be one table [[subscriber]]",
        ),
        ("subscriber = 5", "who.toml: subscriber: must be one table [[subscriber]]"),
        ("[[subscriber]\n", "who.toml, line 1, column 13: "),
    ],
)
def test_a_file_of_another_form_is_an_error(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_subscribers(text, Path("who.toml"), DEFAULTS)
    assert str(caught.value).startswith(problem)


def test_a_missing_file_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`digest subscribe EMAIL -k KEYWORD` creates it"):
        load_subscribers(tmp_path / "who.toml", DEFAULTS)


def test_the_example_that_is_shipped_works() -> None:
    path = Path(__file__).parents[2] / "subscribers.toml"
    first, second = load_subscribers(path, DEFAULTS)
    assert [keyword.text for keyword in first.keywords] == ["reinforcement learning", "graph neural network"]
    assert (second.send_schedule.send_at, second.send_schedule.weekly) == (time(8, 30), 4)


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "reader@example.org",
        "first.last+tag@mail.example.co.uk",
        "reader@localhost",
        "reader@box.local",
        "reader@mail.lan",
        "o'neil@example.org",
        "jos\u00e9@example.org",
        "reader@b\u00fccher.example",
        "reader@xn--bcher-kva.example",
        "reader@list.test",
    ],
)
def test_an_address_is_taken_as_written(address: str) -> None:
    assert parse_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "reader@",
        "@example.org",
        "reader@host",
        "a b@example.org",
        "a..b@example.org",
        ".a@example.org",
        "a@b@example.org",
        "reader@-example.org",
        "reader@example-.org",
        "reader@example..org",
        "reader@example.org.",
        "reader@127.0.0.1",
        "reader@example.invalid",
        "Reader <reader@example.org>",
        "reader@example.org\nBcc: other@example.org",
        "reader@example.org\n",
        "r" * 65 + "@example.org",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must be a mail address"):
        parse_address(address)


_words = st.text("aZ0-._+'@", min_size=1, max_size=12)


@given(
    local=_words,
    domain=st.one_of(_words, st.builds("{}.{}".format, _words, st.sampled_from(["org", "Test"]))),
)
@example(local="a", domain="a" * 64 + ".org")
@example(local="a", domain="a-" * 40 + "a.org")
def test_the_quick_look_takes_nothing_that_the_library_refuses(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    try:
        parse_address(address)
    except ValueError:
        return
    validate_email(address, check_deliverability=False, test_environment=True, strict=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Reader@Example.org", "reader@example.ORG"),
        ("reader@b\u00fccher.example", "READER@xn--bcher-kva.example"),
        ("jos\u00e9@example.org", "JOSE\u0301@example.org"),
        ("reader@localhost", "Reader@LOCALHOST"),
    ],
)
def test_one_mailbox_written_in_two_ways_is_one(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


def test_two_mailboxes_are_two() -> None:
    assert address_key("a@example.org") != address_key("a@example.net")


def test_copies_of_subscribers_share_the_queries_of_their_keywords() -> None:
    keywords = 'keywords = ["tea", { query = "au:Ox", name = "Ox" }]'
    subscribers = parse(*(f'email = "{name}@example.org"\n{keywords}' for name in ("ada", "bo")))
    copied = [pickle.loads(pickle.dumps(one)) for one in subscribers]
    assert tuple(copied) == subscribers
    assert all(map(operator.is_, copied[0].keywords, copied[1].keywords))


def test_a_copy_for_another_process_has_every_field() -> None:
    (plain,) = parse('email = "ada@example.org"\nkeywords = ["tea"]')
    (told,) = parse(
        'email = "ada@example.org"\nname = "Ada"\nkeywords = ["tea"]\nat = "03:00"\n'
        'exclude = ["milk"]\nlength = "short"\ndiscover = 3'
    )
    told = replace(told, muted=frozenset({"tea"}), is_signed_up=True)
    same = {one.name for one in fields(told) if getattr(told, one.name) == getattr(plain, one.name)}
    assert same == {"email", "keywords"}, "give each other field a value of its own here"
    assert pickle.loads(pickle.dumps(told)) == told
