"""The periods and numbers that every store keeps: how long something counts, and how much is kept of it."""

from datetime import timedelta

CLOCK_SLACK = timedelta(days=2)
"""A coverage time that is further in the future comes from a wrong clock."""

CACHED_EDITIONS = 5_000

# The outbox.

MAILINGS_KEPT = timedelta(days=90)
PRUNED_AT_ONCE = 10_000
"""Enough for several days of most installations. Takes half a second."""

# Suppressions and returned mails.

DOUBTS_LAST_FOR = timedelta(days=30)
BOUNCES_COUNT_FOR = timedelta(days=30)
DOUBTS_COUNT_FOR = timedelta(days=10)
"""Long enough for two weekly mailings: an older doubt had a later mailing."""

UNREAD_KEPT = 50
UNREAD_BYTES = 100_000

# Confirmations of changes on web pages.

CONFIRMED_ONCE_IN = timedelta(days=1)
"""One mail for each kind of change in this time, so that nobody can fill a mailbox from a page."""

CHOICES_CONFIRMED_ONCE_IN = timedelta(hours=1)

CONFIRMATIONS_SENT_WITHIN = timedelta(days=7)
"""A week, because a timer may pause over weekends and holidays, and mail servers fail."""

CHANGES_UNDONE_WITHIN = timedelta(days=90)
REQUESTS_CONFIRMED_WITHIN = timedelta(hours=48)
"""For a change that only the owner of a mailbox may make, such as a new address."""

MOST_ADDRESSES_A_DAY = 3
"""To so many new addresses a subscriber may ask to move within a day; each gets one mail."""

CONFIRMATION_TOKEN_BYTES = 18

# Sign-ups.

SIGNUPS_KEPT = timedelta(hours=48)
"""How long a sign-up waits for its confirmation, and is kept after it."""

SIGNUP_MAILED_ONCE_IN = timedelta(days=1)
"""One mail for each address in this time, however often somebody types it."""

SIGNUPS_COUNTED_FOR = timedelta(days=1)
FULL_HOURS_A_DAY = 4
"""In a day, as many sign-ups are taken as in so many full hours: an attack that lasts all day must not use up
the mails that a provider allows."""

MOST_INVITE_USES = 10_000

# Papers of the last announcements.

LISTED_OFFERED = timedelta(days=2)
MOST_LISTED_OFFERED = 4_000
"""Those of two large announcements: about 8 MB."""

LISTED_KEPT_IF_USED = timedelta(days=400)
"""Mailings end before that."""

# Interests and web pages.

LEARNED_FROM = 2_000
"""This many of the last judgements count: learning from them takes half a second."""

PAPERS_SHOWN = 100
DIGESTS_LISTED = 20

# The log of what administrators did.

AUDIT_KEPT = timedelta(days=365)

# Mailings that may have arrived.

LONGEST_WAIT_FOR_COPY = timedelta(days=24)
"""The longest wait that `pipeline.policy.retry_at` gives, with its jitter, and half a day."""
