"""What a dry run prints of the digests that a run would send."""

from digest.cli.run import papers_of
from tests.unit.rendered import digest, entry, revision


def test_new_versions_are_counted_apart_from_papers() -> None:
    later = revision(3, had=1, version=2)
    assert papers_of(digest(entry(1), entry(2))) == "2 papers"
    assert papers_of(digest(entry(1), revisions=(later,))) == "1 paper and 1 new version"
    assert papers_of(digest(revisions=(later, revision(4, had=1, version=2)))) == "2 new versions"
