"""A subscriber who left traces everywhere in a state."""

from digest.config.parsing import address_key
from digest.model.paper import ArxivId
from digest.storage.admin_stores import AuditEntry
from digest.storage.base import Store
from digest.storage.signups import NewSignup, SignupLimits
from digest.storage.values import UnreadMail
from digest.subscribers.interest.judgements import Origin, example_of
from digest.subscribers.preferences import OwnKeyword, Preferences
from digest.subscribers.stored import EntryChange, StoredEntry
from tests.factories import invented_paper, make_subscriber
from tests.stores import NOW, claim, enqueue, found, record

ADA, BO = "Ada.Unmistakable@example.org", "bo@example.org"
ENTRIES = [make_subscriber(ADA, "tea", "milk"), make_subscriber(BO, "tea")]
LIMITS = SignupLimits(per_hour=10, per_network=10)


def live(store: Store) -> None:
    """Ada leaves traces in all tables."""
    store.take_up_entries(ENTRIES, file="one", now=NOW)
    store.enrol(ENTRIES, now=NOW, current_since=NOW)
    record(store, found("2606.00001", "tea"), found("2606.00002", "milk"), covered=("tea", "milk"))
    for one in ENTRIES:
        enqueue(store, one)
    mailing = next(one for one in claim(store) if one.digest.email == ADA)
    store.note_bounce(
        mailing.token, recipient=None, concern="full", reply=f"552 {ADA} is full", now=NOW, retry_at=NOW
    )
    store.save_preferences_and_confirm(ADA, Preferences(added=(OwnKeyword("rice", "R"),)), now=NOW)
    store.ask_address(ADA, "new@example.org", is_free=True, now=NOW)
    store.ask_address(BO, ADA, is_free=True, now=NOW)
    store.count_as_seen(ADA, [ArxivId("2606.00009")])
    example = example_of(invented_paper("2606.00001"))
    store.judge(ADA, [example], is_liked=True, origin=Origin.WEB, now=NOW)
    store.suppress(ADA, cause=f"550 <{ADA}> is unknown", now=NOW)
    store.keep_unread(UnreadMail(number=0, received_at=NOW, sender=ADA, subject="x"), f"To: {ADA}".encode())
    store.sign_up(NewSignup(email=ADA, content=f'{{"email": "{ADA}"}}'), network="", limits=LIMITS, now=NOW)
    store.note_action(AuditEntry(at=NOW, who="grace", action="rename", address=ADA, details=f"from {ADA}"))
    entry = StoredEntry(address=address_key(ADA), content=f'{{"email": "{ADA}", "keywords": ["tea"]}}')
    assert store.change_entries([EntryChange(before=None, after=entry)])
