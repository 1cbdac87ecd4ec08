"""Writes digests as mails, sends them, and reads returned mail. `transport.Transport` is the interface."""
