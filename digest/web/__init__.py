"""Web pages for subscribers, feeds, and metrics for machines (docs/web.md)."""
