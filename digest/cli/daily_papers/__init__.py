"""Pages of papers, a heading for each keyword: the form of a "Daily Papers" README."""
