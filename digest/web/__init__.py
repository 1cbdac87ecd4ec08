"""Pages for subscribers: to leave, to choose, and to read online; and figures for machines (docs/web.md)."""
