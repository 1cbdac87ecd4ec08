"""Whatever somebody writes into the form of preferences is refused, or kept as it is in every store."""

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from digest.storage.base import Store
from digest.subscribers.preferences import Preferences, adapted
from digest.web.preferences_form import build_form, is_whole, parse_form
from tests.examples import examples
from tests.factories import make_subscriber
from tests.stores import NOW

ADA = make_subscriber("ada@example.org", "tea", "milk", exclude=("survey",))
ROWS = [row.row_id for row in build_form(ADA, Preferences(), NOW).keywords]
PIECES = (
    "tea",
    "milk",
    "ti:",
    "AND",
    "ANDNOT",
    "(",
    ")",
    '"',
    "cat:cs.LG",
    "\0",
    "\u202e",
    "é",
    "=",
    "*",
    "\r\n",
)

texts = st.one_of(
    st.text(max_size=40).filter(lambda text: not any(0xD800 <= ord(sign) <= 0xDFFF for sign in text)),
    st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join),
    st.sampled_from(
        ["", "tea", "Milk", "07:30", "fri", "UTC", "Europe/Berlin", "berlin", "full", "2026-07-01"]
    ),
)
names = st.sampled_from(
    [
        *(
            "at",
            "timezone",
            "weekly",
            "length",
            "paused_until",
            "zone",
            "unknown_zone",
            "mute[]",
            "muted",
            "was-at",
            "was-length",
        ),
        *(f"{key}-{row}" for row in (*ROWS, "new-7", "x") for key in ("k", "n")),
    ]
)
WHOLE = {
    "at": ["07:00"],
    "timezone": ["UTC"],
    "weekly": ["never"],
    "length": ["normal"],
    "paused_until": [""],
}


def test_any_form_is_refused_or_kept(store: Store) -> None:
    store.enrol([ADA], now=NOW, current_since=NOW)

    @examples(300, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(names, st.lists(texts, min_size=1, max_size=2), max_size=8))
    def hold(fields: dict[str, list[str]]) -> None:
        sent = WHOLE | fields
        former = store.preferences_of(ADA.email)
        chosen, form = parse_form(sent, ADA, former, NOW)
        if form.has_errors or not is_whole(sent):
            return
        store.save_preferences(ADA.email, chosen)
        kept = store.preferences_of(ADA.email)
        assert set(kept.muted) == set(chosen.muted)
        assert set(kept.removed) == set(chosen.removed)
        assert (kept.added, kept.timezone, kept.send_at) == (chosen.added, chosen.timezone, chosen.send_at)
        mailed = adapted(ADA, kept)
        assert mailed
        assert mailed.keywords
        assert len({one.query.key for one in mailed.keywords}) == len(mailed.keywords)
        store.enrol([mailed], now=NOW, current_since=NOW)
        assert not parse_form(_as_shown(kept), ADA, kept, NOW)[1].has_errors

    hold()


def _as_shown(kept: Preferences) -> dict[str, list[str]]:
    """The form as a browser sends it when nothing is changed."""
    form = build_form(ADA, kept, NOW)
    rows = {f"k-{row.row_id}": [row.text] for row in form.keywords}
    own = {f"n-{row.row_id}": [row.name] for row in form.keywords if row.text}
    muted = {"mute[]": [row.row_id for row in form.keywords if row.is_muted]}
    times = {
        "at": [form.at],
        "timezone": [form.timezone],
        "weekly": [form.weekly],
        "length": [form.length],
        "paused_until": [form.paused_until],
    }
    return rows | own | muted | times
