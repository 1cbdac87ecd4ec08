"""Who gets what: subscribers.toml, its editor, and what subscribers chose online."""
