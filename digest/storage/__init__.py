"""What an installation remembers. `base.Store` is the seam.

A *hit* is a (query, paper) pair, numbered in the order in which this installation first saw it. The hits are
the seen-set: they alone decide what is new. A subscriber's *cursor* is the number of the hit up to which they
were served. A *mailing* is a digest that was written down to be sent. A *revision* is a higher version of a
paper that was seen before, numbered likewise; subscribers who ask for new versions have a second cursor.
"""
