"""`digest edit` changes an entry; `digest pause` and `mute` choose what a subscriber can choose online."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from digest.config.loader import load_settings
from digest.service.directory import directory_of
from digest.storage.factory import open_store
from digest.subscribers.preferences import Preferences
from digest.subscribers.subscriber import Subscriber
from tests.entries import add_entries
from tests.integration.command import Command, installed
from tests.postgresql import take_back_databases
from tests.stores import NOW

FILE = """\
# Ours.

[[subscriber]]
email = "ada@example.org"
name = "Ada"
keywords = ["tea", { query = "reinforcement learning", name = "RL" }]
at = "08:00"  # early
exclude = ["survey", "review"]
categories = ["cs.LG"]
crosslists = false

[[subscriber]]
email = "bo@example.org"
keywords = ["milk"]
"""
ADA, BO = "ada@example.org", "bo@example.org"
IN_A_WEEK = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()


@pytest.fixture(params=["sqlite", "postgresql"])
def digest(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    yield installed(tmp_path_factory.mktemp("lab"), request.param, FILE, monkeypatch, capsys)
    take_back_databases()


@pytest.fixture(params=["file", "sign-up", "database"])
def of_each_owner(request: pytest.FixtureRequest, digest: Command) -> Command:
    if request.param != "file":
        with open_store(load_settings(None, digest.environ).state) as store:
            add_entries(store, FILE)
        (digest.folder / "subscribers.toml").write_text("")
    if request.param == "database":
        digest.set(SUBSCRIBERS="database")
    return digest


def entry(digest: Command, email: str) -> Subscriber:
    found = directory_of(load_settings(None, digest.environ)).find(email)
    assert found
    return found


def enrol(digest: Command) -> None:
    settings = load_settings(None, digest.environ)
    with open_store(settings.state) as store:
        store.enrol(directory_of(settings).load(), now=NOW, current_since=NOW)


def chosen(digest: Command, email: str) -> Preferences:
    with open_store(load_settings(None, digest.environ).state) as store:
        return store.preferences_of(email)


def test_an_entry_is_changed_and_things_are_taken_away(of_each_owner: Command) -> None:
    taken = ("--no-exclude", "survey", "--no-category", "CS.LG", "--no-name", "--no-keyword", "rl")
    out = of_each_owner.said(
        "edit", "Ada@Example.org", "--at", "07:30", *taken, "-k", "coffee", "--discover", "3"
    )
    assert out.startswith('ada@example.org now also follows "coffee", in ')
    assert 'ada@example.org no longer follows "reinforcement learning", in ' in out
    assert "Changed exclude, categories, name, at, discover of ada@example.org in " in out
    ada = entry(of_each_owner, ADA)
    assert (ada.name, f"{ada.send_schedule.send_at:%H:%M}", ada.discover) == (None, "07:30", 3)
    assert [one.text for one in ada.keywords] == ["tea", "coffee"]
    assert [one.text for one in ada.filters.exclude] == ["review"]
    assert (ada.filters.categories, ada.filters.crosslists) == ((), True)
    assert [one.text for one in entry(of_each_owner, BO).keywords] == ["milk"]


def test_comments_stay(digest: Command) -> None:
    digest.said("edit", ADA, "--at", "07:30", "--no-filters", "--timezone", "Europe/Berlin")
    text = (digest.folder / "subscribers.toml").read_text()
    assert text.startswith("# Ours.\n")
    assert 'at = "07:30"  # early\n' in text
    assert "exclude" not in text


def test_the_defaults_hold_again_and_a_mail_comes_every_day(digest: Command) -> None:
    digest.set(DEFAULTS__AT="06:00", DEFAULTS__WEEKLY="mon", DEFAULTS__LENGTH="short")
    digest.said("edit", ADA, "--weekly", "fri", "--length", "full", "--discover", "2")
    digest.said("edit", ADA, "--no-at", "--no-length", "--no-discover", "--no-timezone")
    ada = entry(digest, ADA)
    assert (f"{ada.send_schedule.send_at:%H:%M}", ada.length, ada.discover) == ("06:00", "short", 0)
    assert ada.send_schedule.weekly == 4
    assert "every day at 06:00" in digest.said("edit", ADA, "--no-weekly")
    assert entry(digest, ADA).send_schedule.weekly is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("eda@example.org", "--at", "07:30"), "not a subscriber; did you mean ada@example.org?"),
        ((ADA,), "name what to change"),
        ((ADA, "--no-at", "--at", "07:30"), "--at and --no-at contradict"),
        ((ADA, "--no-filters", "--category", "cs.LG"), "contradict"),
        ((ADA, "--no-exclude", "milk"), 'does not exclude "milk"; it excludes '),
        ((ADA, "--no-category", "cs.CL"), "cs.CL is no category of ada@example.org; it has "),
        ((ADA, "--no-category", "cs.XX"), "must be a category of arXiv"),
        ((ADA, "--no-keyword", "te"), 'does not follow "te"; did you mean "tea"?'),
        ((ADA, "--no-keyword", "tea", "--no-keyword", "RL"), "would have no keyword left"),
        ((ADA, "--timezone", "Europe/Berln"), "did you mean Europe/Berlin?"),
        ((ADA, "--as", "T"), "gives a name to one keyword"),
        ((ADA, "--discover", "99"), "must be a number of papers from 0 to"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_changed(
    digest: Command, arguments: tuple[str, ...], problem: str
) -> None:
    lines = digest.refused("edit", *arguments)
    assert problem in " ".join(line.strip(" │") for line in lines)
    assert (digest.folder / "subscribers.toml").read_text() == FILE


def test_what_was_chosen_online_is_told_and_can_be_reset(digest: Command) -> None:
    enrol(digest)
    digest.said("pause", ADA, "--until", IN_A_WEEK)
    assert f"pause: until {IN_A_WEEK}" in digest.said("edit", ADA, "--at", "07:30")
    assert "The online choices of ada@example.org are removed." in digest.said(
        "edit", ADA, "--forget-choices"
    )
    assert chosen(digest, ADA) == Preferences()


def test_an_edit_brings_nobody_back_who_left(digest: Command) -> None:
    enrol(digest)
    with open_store(load_settings(None, digest.environ).state) as store:
        store.leave(ADA, now=NOW)
    assert "has unsubscribed, and gets no mail; `digest subscribe" in digest.said(
        "edit", ADA, "--at", "07:30"
    )
    assert chosen(digest, ADA).left_at
    assert "ada@example.org has unsubscribed" in digest.refused("mute", ADA, "tea")[0]


def test_a_pause_is_the_choice_of_the_subscriber(of_each_owner: Command) -> None:
    enrol(of_each_owner)
    before = entry(of_each_owner, ADA)
    out = of_each_owner.said("pause", "ADA@example.org", "--until", IN_A_WEEK)
    assert out.startswith(f"ada@example.org gets no mail before {IN_A_WEEK}.")
    assert "This counts as their own choice" in out
    assert chosen(of_each_owner, ADA).paused_until == date.fromisoformat(IN_A_WEEK)
    assert "No change." in of_each_owner.said("pause", ADA, "--until", IN_A_WEEK)
    assert f"paused until {IN_A_WEEK}" in of_each_owner.said("subscribers")
    of_each_owner.said("unpause", ADA)
    assert "No change." in of_each_owner.said("unpause", ADA)
    assert chosen(of_each_owner, ADA) == Preferences()
    assert entry(of_each_owner, ADA) == before


def test_a_keyword_is_muted_by_its_text_or_name(digest: Command) -> None:
    enrol(digest)
    digest.said("pause", ADA, "--until", IN_A_WEEK)
    assert digest.said("mute", ADA, "rl").startswith(
        '"RL (reinforcement learning)" of ada@example.org is muted.'
    )
    digest.said("mute", ADA, "TEA")
    muted = {one.query.key for one in entry(digest, ADA).keywords}
    assert set(chosen(digest, ADA).muted) == muted
    digest.said("unmute", ADA, "reinforcement learning")
    assert set(chosen(digest, ADA).muted) == {entry(digest, ADA).keywords[0].query.key}
    assert chosen(digest, ADA).paused_until
    assert "No change." in digest.said("unmute", ADA, "RL")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("pause", "eda@example.org", "--until", IN_A_WEEK), "did you mean ada@example.org?"),
        (("pause", ADA, "--until", "2026-06-01"), "must be a day after today, within a year"),
        (("pause", ADA, "--until", "2999-01-01"), "must be a day after today, within a year"),
        (("pause", ADA, "--until", "soon"), "must be a day, for example"),
        (("pause", ADA), "Missing option '--until'"),
        (("mute", ADA, "te"), 'did you mean "tea"?'),
        (("mute", ADA, "a AND"), "AND"),
    ],
)
def test_a_choice_that_is_none_is_refused(digest: Command, arguments: tuple[str, ...], problem: str) -> None:
    enrol(digest)
    assert problem in " ".join(line.strip(" │") for line in digest.refused(*arguments))
    assert chosen(digest, ADA) == Preferences()


def test_who_was_never_enrolled_has_no_choices_yet(digest: Command) -> None:
    ended = digest("mute", ADA, "tea")
    assert (ended.code, "is new and not in the state yet" in ended.err) == (1, True)
