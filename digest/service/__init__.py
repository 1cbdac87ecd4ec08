"""The long-running service, and from settings to the things that work."""
