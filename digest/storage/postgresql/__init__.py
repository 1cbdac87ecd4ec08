"""The store in PostgreSQL. Only `digest.storage.factory` knows it; it needs the extra `postgresql`."""
