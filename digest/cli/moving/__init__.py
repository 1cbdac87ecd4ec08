"""Subscriptions of other programs as keywords: what each has is in docs/moving.md."""
