"""Sends mails to an SMTP server, and interprets its replies."""
