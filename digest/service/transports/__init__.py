"""The transports: one module for each name in `digest.config.transports`."""
