"""The store in one SQLite file: a part for each subject, over one connection."""
