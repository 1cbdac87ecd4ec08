"""Mails to an SMTP server, and what its replies mean."""
