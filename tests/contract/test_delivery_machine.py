"""Any sequence of composing, claiming, crashing, sending, failing and restarting keeps the promises of mail.

Nobody gets a paper twice, but as the same mail again; nobody misses one; one digest is the same bytes each
time; no two workers hold the same mailing; whoever has left or is suppressed gets nothing.
"""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from digest.config.package_data import templates_folder
from digest.mail.message import SenderIdentity
from digest.mail.rendering.renderer import Renderer
from digest.mail.rendering.writer import Writer
from digest.model.paper import ArxivId
from digest.pipeline.compose_job import compose_due
from digest.pipeline.policy import LATEST_RETRY, LEASE, RETRY_BOUNCED_AFTER, retry_at
from digest.storage import tokens as tokens_module
from digest.storage.base import Store
from digest.storage.values import DeliveryResult, Mailing, MailingState, Matched
from tests.contract.back_ends import BACK_ENDS, BackEnd
from tests.examples import examples
from tests.factories import invented_paper, make_subscriber
from tests.stores import LONG_AGO, NOW, key

TEA, MILK = "tea", "milk"
SUBSCRIBERS = {
    one.email: one
    for one in (
        make_subscriber("ada@example.org", TEA),
        make_subscriber("bo@example.org", TEA, MILK),
    )
}
SENDER = SenderIdentity(sender="digest@example.org", contact="digest@example.org")
WRITER = Writer(Renderer(templates_folder()), SENDER)

Name = Literal["one", "other"]

STATES = {
    "sent": MailingState.SENT,
    "sent and came back": MailingState.SENT,
    "lost and arrived": MailingState.UNKNOWN,
    "lost and came back": MailingState.UNKNOWN,
    "lost": MailingState.UNKNOWN,
    "refused for now": MailingState.DEFERRED,
    "dead": MailingState.SUPPRESSED,
    "untried": None,
}
"""How an attempt may end, and what the worker makes of it."""

workers = st.sampled_from(["one", "other"])
addresses = st.sampled_from(sorted(SUBSCRIBERS))
endings = st.sampled_from([*STATES, "sent", "lost and arrived", "refused for now", "refused for now"])
waits = st.sampled_from(
    [timedelta(minutes=11), timedelta(minutes=31), timedelta(hours=13), timedelta(days=2)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A mail that the server took and could not deliver: its notification is on the way."""

    token: str
    email: str
    papers: frozenset[str]


class Deliveries(RuleBasedStateMachine):
    """Two workers on one state; what they should do is kept beside it in sets."""

    def __init__(self, back_end: BackEnd) -> None:
        super().__init__()
        self.back_end = back_end
        self.folder = TemporaryDirectory()
        self.opened = {name: ExitStack() for name in ("one", "other")}
        self.now = NOW
        self.stores = {name: self.open(name) for name in self.opened}
        # When a mail is tried again follows from its token: the same trial has to give the same ones.
        tokens = count(1)
        self.tokens = patch.object(tokens_module, "token_hex", lambda size: f"{next(tokens):0{2 * size}x}")
        self.tokens.start()
        self.held: dict[str, dict[int, Mailing]] = {"one": {}, "other": {}}
        self.orphans: dict[int, datetime] = {}
        self.papers = 0
        self.enrolled = set(SUBSCRIBERS)
        self.suppressed: set[str] = set()
        self.due: dict[str, set[str]] = defaultdict(set)
        self.brought: dict[str, dict[str, str]] = defaultdict(dict)
        self.messages: dict[str, bytes] = {}
        self.may_come_again: set[str] = set()
        self.returned: list[Returned] = []

    def open(self, name: str) -> Store:
        return self.opened[name].enter_context(self.back_end.open(Path(self.folder.name)))

    # What the world does

    @initialize()
    def begin(self) -> None:
        self.enrol()

    def enrol(self) -> None:
        """As at the beginning of each cycle, and a fetch that brings nothing."""
        subscribers = [SUBSCRIBERS[email] for email in sorted(self.enrolled)]
        self.stores["one"].enrol(subscribers, now=self.now, current_since=self.now - timedelta(days=1))
        self.record()

    def record(self, *papers: Matched) -> None:
        covered = {key(text): LONG_AGO for text in (TEA, MILK)}
        self.stores["one"].record(papers, covered=covered, now=self.now)

    @rule(
        keywords=st.sampled_from([(TEA,), (MILK,), (TEA, MILK)]),
        count=st.integers(1, 3),
        is_composed=st.booleans(),
    )
    def announce(self, keywords: tuple[str, ...], count: int, is_composed: bool) -> None:
        self.enrol()
        for _ in range(count):
            self.papers += 1
            paper = invented_paper(f"2606.{self.papers:05}", f"Of {' and '.join(keywords)}")
            self.record(Matched(paper=paper, query_keys=tuple(map(key, keywords))))
            for email in self.enrolled:
                if {keyword.text for keyword in SUBSCRIBERS[email].keywords} & set(keywords):
                    self.due[email].add(paper.id)
        if is_composed:
            self.compose("one", set(SUBSCRIBERS))

    @rule(wait=waits)
    def time_passes(self, wait: timedelta) -> None:
        self.now += wait
        for name, store in self.stores.items():
            store.renew(tuple(self.held[name]), until=self.now + LEASE)

    @rule(
        email=addresses,
        change=st.sampled_from(["leaves or returns", "leaves and returns", "is suppressed", "is resumed"]),
    )
    def subscriber_changes(self, email: str, change: str) -> None:
        if change == "is suppressed":
            self.stores["other"].suppress(email, cause="came back", now=self.now)
            self.suppressed.add(email)
        elif change == "is resumed":
            assert self.stores["other"].resume(email, now=self.now) == (email in self.suppressed)
            self.suppressed.discard(email)
        else:
            self.leave_or_return(email)
            if change == "leaves and returns":
                self.leave_or_return(email)

    def leave_or_return(self, email: str) -> None:
        if email in self.enrolled:
            self.due[email] = {paper for paper in self.due[email] if self.is_written_down(paper, email)}
        self.enrolled ^= {email}
        self.enrol()

    def is_written_down(self, paper: str, email: str) -> bool:
        """Then it comes with that mailing, if need be after a return; else at most with a first digest."""
        return bool(self.stores["one"].delivery_history(ArxivId(paper), email).postings)

    @precondition(lambda self: self.returned)
    @rule(names_the_subscriber=st.booleans(), data=st.data())
    def notification_comes(self, names_the_subscriber: bool, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.returned))
        self.returned.remove(one)
        recipient = one.email if names_the_subscriber else None
        bounced = self.stores["other"].note_bounce(
            one.token,
            recipient=recipient,
            concern="full",
            reply="5.2.2 full",
            now=self.now,
            retry_at=self.now + RETRY_BOUNCED_AFTER,
        )
        assert bounced is not None
        if not names_the_subscriber:  # it may have arrived by another way, so it is not repeated
            self.due[one.email] -= one.papers

    # What workers do

    @rule(name=workers, emails=st.just(set(SUBSCRIBERS)) | st.sets(addresses, min_size=1))
    def compose(self, name: Name, emails: set[str]) -> None:
        subscribers = [SUBSCRIBERS[email] for email in sorted(emails & self.enrolled)]
        compose_due(self.stores[name], subscribers, lambda *_: self.now, backlog_since=LONG_AGO)

    @rule(name=workers, limit=st.integers(1, 3))
    def claim(self, name: Name, limit: int) -> None:
        claimed = self.stores[name].claim(now=self.now, until=self.now + LEASE, limit=limit)
        for mailing in claimed:
            assert all(mailing.number not in held for held in self.held.values()), "held twice"
            assert self.orphans.pop(mailing.number, self.now) <= self.now, "the lease had not ended"
            assert mailing.digest.email in self.enrolled, "the reader has left"
            assert mailing.digest.email not in self.suppressed, "the address is dead"
            message = WRITER.write(mailing).message
            assert self.messages.setdefault(mailing.token, message) == message, "other bytes"
            self.held[name][mailing.number] = mailing

    @rule(name=workers, ending=endings)
    def send(self, name: Name, ending: str) -> None:
        if self.holds_some(name):
            _, mailing = self.held[name].popitem()
            self.end(name, mailing, ending)

    def holds_some(self, name: Name) -> bool:
        """Waits for what falls due next where it holds nothing."""
        if not self.held[name] and not any(self.held.values()):
            due_at = self.stores[name].next_due_at()
            self.now = max(self.now, due_at or self.now)
            self.claim(name, 2)
        return bool(self.held[name])

    def end(self, name: Name, mailing: Mailing, ending: str) -> None:
        store, token, email = self.stores[name], mailing.token, mailing.digest.email
        if ending in {"sent", "lost and arrived"}:
            self.arrive(mailing)
        if ending in {"lost and arrived", "lost and came back"}:
            self.may_come_again.add(token)
        if ending.endswith("came back"):
            papers = frozenset(entry.paper.id for entry in mailing.digest.entries)
            self.returned.append(Returned(token=token, email=email, papers=papers))
        if ending == "dead":
            self.suppressed.add(email)
        state = STATES[ending]
        if state is None:
            store.release([mailing.number], now=self.now)
            return
        is_end = state in {MailingState.SENT, MailingState.SUPPRESSED}
        waited = self.now - mailing.digest.planned_at if state is MailingState.UNKNOWN else timedelta(0)
        attempts = mailing.attempts + 1
        due_at = None if is_end else retry_at(self.now, attempts=attempts, token=token, waited=waited)
        conclusion = DeliveryResult(number=mailing.number, state=state, reply=ending, due_at=due_at)
        store.record_results([conclusion], now=self.now)

    def arrive(self, mailing: Mailing) -> None:
        """Into the subscriber's mailbox, which knows what it got before."""
        token, brought = mailing.token, self.brought[mailing.digest.email]
        for entry in mailing.digest.entries:
            earlier = brought.setdefault(entry.paper.id, token)
            assert earlier == token, "a paper came in two digests"
        if f"{token} arrived" in self.messages:
            assert token in self.may_come_again, "a mail was sent twice"
        self.messages[f"{token} arrived"] = b""

    @rule(name=workers, is_in_flight=st.booleans())
    def crash(self, name: Name, is_in_flight: bool) -> None:
        """What it held is nobody's; the one in flight may have arrived."""
        held = self.held[name]
        if self.holds_some(name) and is_in_flight:
            mailing = next(iter(held.values()))
            self.arrive(mailing)
            self.may_come_again.add(mailing.token)
        self.orphans |= dict.fromkeys(held, self.now + LEASE)
        held.clear()
        self.opened[name].close()
        self.stores[name] = self.open(name)

    @rule(name=workers, ending=endings)
    def sleeps_over_the_lease(self, name: Name, ending: str) -> None:
        """As on a machine that was suspended: the other worker is done with what the late one then ends."""
        if not self.holds_some(name):
            return
        other: Name = "other" if name == "one" else "one"
        late, self.held[name] = self.held[name], {}
        self.time_passes(LEASE)
        for mailing in late.values():
            self.orphans[mailing.number] = self.now
            if STATES[ending] in {MailingState.SENT, MailingState.UNKNOWN}:
                self.may_come_again.add(mailing.token)
        self.claim(other, 1000)
        for number, mailing in late.items():
            if (taken := self.held[other].pop(number, None)) is not None:
                self.end(other, taken, "sent")
            self.end(name, mailing, ending)

    @precondition(lambda self: not any(self.held.values()))
    @rule()
    def reclaim(self) -> None:
        """As at the beginning of each delivery: nobody else is sending then."""
        self.stores["one"].reclaim(now=self.now, latest=self.now + LATEST_RETRY)
        self.orphans.clear()

    # What must hold

    def teardown(self) -> None:
        try:
            self.drain()
            self.back_end.check(Path(self.folder.name))
        finally:
            self.tokens.stop()
            for opened in self.opened.values():
                opened.close()
            self.folder.cleanup()

    def drain(self) -> None:
        """With a mail server that is well, in the end everybody has all that they were to get."""
        self.crash("one", is_in_flight=True)
        self.crash("other", is_in_flight=False)
        for email in sorted(self.suppressed):
            self.subscriber_changes(email, "is resumed")
        for one in self.returned:
            self.stores["one"].note_bounce(
                one.token,
                recipient=one.email,
                concern="full",
                reply="5.2.2 full",
                now=self.now,
                retry_at=self.now + RETRY_BOUNCED_AFTER,
            )
        self.enrol()
        for _ in range(2):
            self.now += timedelta(days=2)
            self.reclaim()
            self.compose("one", set(SUBSCRIBERS))
            self.claim("one", 1000)
            while self.held["one"]:
                self.send("one", "sent")
        assert self.stores["one"].waiting() == 0
        for email in self.enrolled:
            assert self.due[email] <= self.brought[email].keys(), "a paper was missed"


def with_back_end(chosen: BackEnd) -> type[Deliveries]:
    class ChosenDeliveries(Deliveries):
        def __init__(self) -> None:
            super().__init__(chosen)

    return ChosenDeliveries


def test_whatever_happens_each_paper_comes_once(back_end: BackEnd) -> None:
    limits = examples(100, stateful_step_count=50)
    run_state_machine_as_test(with_back_end(back_end), settings=limits)


@pytest.mark.long
def test_whatever_happens_each_paper_comes_once_at_length(back_end: BackEnd) -> None:
    """On PostgreSQL, an example takes five times as long."""
    most = 200 if back_end is BACK_ENDS.get("postgresql") else 500
    limits = settings(max_examples=most, stateful_step_count=80)
    run_state_machine_as_test(with_back_end(back_end), settings=limits)
