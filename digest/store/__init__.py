"""What an installation remembers: the seen-set, the readers' cursors and the outbox. `Store` is the seam.

A *hit* is a (query, paper) pair, numbered in the order in which this installation first saw it.
The hits are the seen-set: they alone decide what is new. A reader's *cursor* is the number of the
hit up to which they have been served. A *mailing* is a digest that was written down to be sent.

A *revision* is a higher version of a paper that was seen before, numbered likewise. Readers who ask for
new versions have a second cursor for them, which begins at the last revision of the time when they asked.
"""

from digest.store.protocol import Store
from digest.store.values import (
    AddressChange,
    Bounced,
    Conclusion,
    Confirmation,
    Fate,
    Figures,
    Frontier,
    Hindrance,
    KeywordPage,
    KnownReader,
    Mailing,
    MailingState,
    Matched,
    News,
    PageChange,
    Pages,
    Posting,
    Restored,
    Served,
    Sighting,
    Standing,
    Suppression,
    UnreadMail,
    Waiting,
)

__all__ = [
    "AddressChange",
    "Bounced",
    "Conclusion",
    "Confirmation",
    "Fate",
    "Figures",
    "Frontier",
    "Hindrance",
    "KeywordPage",
    "KnownReader",
    "Mailing",
    "MailingState",
    "Matched",
    "News",
    "PageChange",
    "Pages",
    "Posting",
    "Restored",
    "Served",
    "Sighting",
    "Standing",
    "Store",
    "Suppression",
    "UnreadMail",
    "Waiting",
]
