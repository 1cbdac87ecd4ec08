"""The state of an installation. `base.Store` is the interface.

A *hit* is a (query, paper) pair, numbered in the order in which this installation first saw it. The hits are
the seen-set: they alone decide what is new. A subscriber's *cursor* is the number of the last hit that was
handled for them. A *mailing* is a digest that was written to the state to be sent. A *revision* is a higher
version of a paper that was seen before. Revisions are numbered too, and subscribers who ask for new versions
have a second cursor.
"""
