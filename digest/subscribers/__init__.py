"""The subscribers: subscribers.toml, its editor, and the choices that subscribers made online."""
