"""Very many damaged returned mails: each is read without an error, and soon."""

import time

import pytest

from digest.mail.bounces import read_returned
from tests.notifications import BOUNCES
from tests.returned_mails import damaged

pytestmark = pytest.mark.long


def test_no_damage_raises_or_takes_long() -> None:
    for seed in range(8_000):
        began = time.process_time()
        read_returned(damaged(seed), bounce_address=BOUNCES)
        assert time.process_time() - began < 2, seed
