"""Mails each subscriber, every day, the new arXiv papers that match their keywords."""

__version__ = "0.2.0"
