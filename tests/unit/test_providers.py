"""A provider's name is enough: the rest of what its server wants is known."""

from pathlib import Path

import pytest

from digest.config.providers import PROVIDERS, Provider
from digest.config.smtp_settings import Smtp

KEYS = ("host", "port", "security", "messages_per_connection", "messages_per_minute", "messages_per_day")
LOGIN = {"username": "lab@example.org", "password": "correct horse"}


def smtp(**given: object) -> Smtp:
    return Smtp.model_validate(LOGIN | given)


@pytest.mark.parametrize("name", [name for name, one in PROVIDERS.items() if one.host])
def test_a_name_and_a_login_are_enough(name: str) -> None:
    found = smtp(provider=name)
    assert [getattr(found, key) for key in KEYS] == [getattr(PROVIDERS[name], key) for key in KEYS]
    assert found.sender == "lab@example.org"


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_every_preset_encrypts_and_its_port_fits(provider: Provider) -> None:
    assert (provider.port, provider.security) in {(587, "starttls"), (465, "tls")}


def test_what_is_set_goes_before_the_preset() -> None:
    found = smtp(provider="gmail", host="relay.example.org", messages_per_day=2_000)
    assert (found.host, found.port, found.messages_per_day) == ("relay.example.org", 587, 2_000)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"port": 465}, (465, "tls")),
        ({"security": "tls"}, (465, "tls")),
        ({"port": 2525}, (2525, "starttls")),
        ({"port": 2525, "security": "tls"}, (2525, "tls")),
    ],
)
def test_port_and_security_are_never_half_of_a_preset(
    given: dict[str, object], expected: tuple[int, str]
) -> None:
    found = smtp(provider="gmail", **given)
    assert (found.port, found.security) == expected


def test_the_docs_list_every_provider_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "mail-servers.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    listed = {row[0].strip("`"): row[1:5] for row in rows if row[0].strip("`") in PROVIDERS}
    assert listed == {name: _cells(provider) for name, provider in PROVIDERS.items()}


def _cells(provider: Provider) -> list[str]:
    limits = (
        (provider.messages_per_day, "a day"),
        (provider.messages_per_minute, "a minute"),
        (provider.messages_per_connection, "a connection"),
    )
    told = ", ".join(f"{number:,} {span}" for number, span in limits if number)
    host = f"`{provider.host}`" if provider.host else "set `smtp.host`"
    return [host, str(provider.port), f"`{provider.security}`", told or "not preset"]
