"""The long-running service, and the code that builds its parts from the settings."""
