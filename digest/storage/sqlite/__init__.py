"""The store in one SQLite file: one part for each subject, all over one connection."""
