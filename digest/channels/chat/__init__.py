"""Digests as one message of a chat, by apprise."""
