"""Which name a mail server is greeted by."""

import pytest

from digest.config.parsing import is_full_name
from digest.mail.smtp.connect import greeting_name

SENDER = "digest@lab.example"


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("mx1.uni.example", "mx1.uni.example"),
        ("mx1.uni.example.", "mx1.uni.example"),
        ("MX1.Uni.Example", "MX1.Uni.Example"),
        ("laptop", "lab.example"),
        ("laptop.local", "lab.example"),
        ("laptop.lan", "lab.example"),
        ("localhost.localdomain", "lab.example"),
        ("1.0.0.127.in-addr.arpa", "lab.example"),
        ("my_machine.uni.example", "lab.example"),
        ("10.0.0.7", "lab.example"),
        ("", "lab.example"),
    ],
)
def test_a_name_that_others_can_know_goes_before_the_senders_domain(machine: str, name: str) -> None:
    assert greeting_name(machine, SENDER) == name


@pytest.mark.parametrize("sender", ["", "digest@localhost", "digest@laptop.local", "digest@müller.example"])
def test_nothing_is_made_up(sender: str) -> None:
    assert greeting_name("laptop", sender) is None


@pytest.mark.parametrize("name", ["a.b", "xn--mller-kva.example", "1and1.example", "a." + "b" * 63])
def test_host_names_with_a_domain_are_full(name: str) -> None:
    assert is_full_name(name)


@pytest.mark.parametrize(
    "name",
    ["mail", ".example", "a..b", "-a.example", "a-.example", "a.b.", "a b.example", "a." + "b" * 64, "a.7"],
)
def test_anything_else_is_not(name: str) -> None:
    assert not is_full_name(name)
