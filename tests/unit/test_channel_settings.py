"""Tables of channels in digest.toml: every problem at once, and nothing secret in any of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier

from digest.channels.channel import Channel, Kind, load_channels, variable_of
from digest.channels.signature import key_of, new_secret, signed_headers
from digest.config.loader import load_settings
from digest.errors import ConfigurationError
from tests.factories import moment
from tests.webhooks import SECRET

HIDDEN = "https://hooks.example.org/T0KEN"
WEBHOOK = f'kind = "webhook"\nurl = "{HIDDEN}"\nsecret = "{SECRET}"\nkeywords = ["tea"]\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(toml: str, environ: dict[str, str] | None = None) -> tuple[Channel, ...]:
    file = Path("digest.toml").absolute()
    file.write_text(toml)
    environ = {"STATE_DIRECTORY": "/nowhere", **(environ or {})}
    return load_channels(load_settings(file, environ), environ, file)


def problems(toml: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(toml, environ)
    text = "\n".join(caught.value.problems)
    assert "T0KEN" not in text
    assert SECRET not in text
    return text.replace(f"{Path('digest.toml').absolute()}: ", "")


def channel(entry: str) -> str:
    return f"[[channel]]\n{entry}"


def test_a_channel_has_the_entry_of_a_subscriber_and_the_defaults() -> None:
    (one, two) = load(
        '[defaults]\nat = "09:30"\ntimezone = "Europe/Berlin"\ndiscover = 3\n'
        + channel(f'name = "lab"\ntitle = "The lab"\nweekly = "fri"\nexclude = ["milk"]\n{WEBHOOK}')
        + channel('name = "notes"\nkind = "folder"\nfolder = "notes"\nkeywords = ["tea"]\nlength = "short"\n')
    )
    assert (one.name, one.kind, one.title, one.follower.email) == (
        "lab", Kind.WEBHOOK, "The lab", "channel:lab",
    )  # fmt: skip
    assert one.follower.send_schedule.weekly == 4
    assert f"{one.follower.send_schedule.send_at:%H:%M}" == "09:30"
    assert one.follower.discover == 0
    assert [keyword.text for keyword in one.follower.filters.exclude] == ["milk"]
    assert two.folder == Path("notes").absolute()
    assert two.title == "notes"


def test_nothing_secret_is_in_the_representation() -> None:
    found = load(channel(f'name = "lab"\n{WEBHOOK}'))
    settings = load_settings(Path("digest.toml").absolute(), {"STATE_DIRECTORY": "/nowhere"})
    shown = f"{found!r} {found} {settings!r} {settings}"
    assert "T0KEN" not in shown
    assert SECRET not in shown


def test_what_is_secret_comes_from_files_the_environment_or_a_credential(tmp_path: Path) -> None:
    entry = 'name = "lab-chat"\nkind = "webhook"\nkeywords = ["tea"]\n'
    (tmp_path / "url").write_text(f"{HIDDEN}\n")
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "channel-lab-chat-url").write_text(f"{HIDDEN}/credential\n")
    (tmp_path / "channel-lab-chat-secret").write_text(SECRET)
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    variables = {variable_of("lab-chat", "url"): f"{HIDDEN}/variable"}
    files = 'url_file = "url"\nsecret_file = "secret"\n'

    def url(*args: object) -> str:
        (one,) = load(*args)  # type: ignore[arg-type]
        assert one.url
        assert one.secret
        assert one.secret.get_secret_value() == SECRET
        return one.url.get_secret_value()

    assert url(channel(entry + files)) == HIDDEN
    assert url(channel(entry), credentials) == f"{HIDDEN}/credential"
    assert url(channel(entry + files), {**credentials, **variables}) == f"{HIDDEN}/variable"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", "channel 1: name: must be"),
        ('name = "Lab"\n' + WEBHOOK, 'name = "Lab": must be small letters'),
        ('name = "a@b.example"\n' + WEBHOOK, "name = "),
        ('name = "lab"\nkind = "post"\nkeywords = ["tea"]\n', 'kind: must be "webhook"'),
        ('name = "lab"\nkind = "webhook"\nkeywords = ["tea"]\n', "url: missing"),
        ('name = "lab"\nkind = "webhook"\nkeywords = ["tea"]\n', "secret: missing"),
        ('name = "lab"\n' + WEBHOOK.replace("https", "http"), "url: must be an https address; http is only"),
        ('name = "lab"\n' + WEBHOOK.replace("https", "ftp"), "url: must be an https address"),
        ('name = "lab"\n' + WEBHOOK.replace("https://", "https://u:T0KEN@"), "no user and password"),
        ('name = "lab"\n' + WEBHOOK.replace("T0KEN", "T0 KEN"), "url: has blanks"),
        ('name = "lab"\n' + WEBHOOK.replace("hooks.example.org", "[::1"), "url: must be an https address"),
        ('name = "lab"\n' + WEBHOOK.replace("whsec_", ""), "secret: must be whsec_"),
        ('name = "lab"\n' + WEBHOOK.replace(SECRET, "whsec_c2hvcnQ="), "secret: must be whsec_"),
        ('name = "lab"\nurl_file = "u"\n' + WEBHOOK, "url_file: url is also set"),
        ('name = "lab"\nfolder = "x"\n' + WEBHOOK, "folder: not for a webhook"),
        ('name = "lab"\ncolour = "x"\n' + WEBHOOK, "colour: unknown key"),
        ('name = "lab"\nemail = "a@b.example"\n' + WEBHOOK, "email: unknown key"),
        ('name = "lab"\nallow_private = "yes"\n' + WEBHOOK, "allow_private: must be true or false"),
        ('name = "lab"\n' + WEBHOOK.replace('["tea"]', "[]"), "keywords: empty"),
        ('name = "lab"\nat = "25:00"\n' + WEBHOOK, 'at = "25:00": must be HH:MM'),
        ('name = "lab"\nkind = "folder"\nkeywords = ["tea"]\n', "folder: must be the path"),
        ('name = "lab"\nurl_file = "none"\nkind = "webhook"\nkeywords = ["tea"]\n', "none cannot be read"),
    ],
)
def test_a_mistake_is_named_with_its_place(entry: str, said: str) -> None:
    assert said in problems(channel(entry))


def test_the_problems_of_all_channels_are_named_at_once() -> None:
    text = problems(
        channel(f'name = "lab"\nat = "x"\n{WEBHOOK}') + channel(f'name = "b"\nweekly = "x"\n{WEBHOOK}')
    )
    assert text.startswith("channel lab: at")
    assert "\nchannel b: weekly" in text


def test_two_channels_have_two_names() -> None:
    same = channel(f'name = "lab"\n{WEBHOOK}')
    assert "another channel has the same" in problems(same + same)


@pytest.mark.parametrize("toml", ['channel = "T0KEN"', '[channel]\nurl = "T0KEN"', 'channel = ["T0KEN"]'])
def test_what_is_no_table_is_refused_and_not_shown(toml: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    assert "[[channel]], in double brackets" in str(caught.value)
    assert "T0KEN" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "other"),
    [("url", HIDDEN, f'secret = "{SECRET}"'), ("secret", SECRET, f'url = "{HIDDEN}"')],
)
def test_what_is_in_the_place_of_its_file_is_not_quoted(key: str, value: str, other: str) -> None:
    entry = f'name = "lab"\nkind = "webhook"\n{key}_file = "{value}"\n{other}\nkeywords = ["tea"]\n'
    assert f"{key}_file: must be the path of a file, and not the {key} itself" in problems(channel(entry))


def test_a_folder_has_a_name_that_files_can_have() -> None:
    text = problems(channel('name = "n"\nkind = "folder"\nfolder = "a\\u0000b"\nkeywords = ["tea"]\n'))
    assert text == "channel n: folder: must be the path of a folder"


def test_a_title_has_room_in_every_message() -> None:
    text = problems(channel(f'name = "lab"\ntitle = "{"long " * 21}"\n{WEBHOOK}'))
    assert text == "channel lab: title: must be text in one line, of at most 100 characters"


def test_a_variable_of_no_channel_is_a_mistake() -> None:
    text = problems(channel(f'name = "lab"\n{WEBHOOK}'), {"DIGEST_CHANNEL_LAP_URL": HIDDEN})
    assert text == "DIGEST_CHANNEL_LAP_URL: no channel of digest.toml has this name"


def test_a_file_that_is_no_secret_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "u").write_text("https://example.org/T0KEN\nmore")
    text = problems(channel('name = "lab"\nkind = "webhook"\nurl_file = "u"\nkeywords = ["tea"]\n'))
    assert "must hold only the url" in text


@given(st.binary(max_size=200), st.text(min_size=1, max_size=40), st.integers(0, 2**32))
def test_a_signature_is_that_of_the_library_of_the_standard(body: bytes, token: str, at: int) -> None:
    from datetime import UTC, datetime

    sent_at = datetime.fromtimestamp(at, UTC)
    text = body.decode("latin-1")
    signed = signed_headers(SECRET, token, sent_at, text.encode())
    assert signed["webhook-signature"] == Verifier(SECRET).sign(token, sent_at, text)


def test_each_secret_is_another_and_good_enough() -> None:
    assert new_secret() != new_secret()
    assert len(key_of(new_secret())) == 32
    assert signed_headers(new_secret(), "t", moment("2026-06-16 07:00"), b"")["webhook-id"] == "t"
