"""digest.toml and the environment as one checked value, and the files of an installation."""
