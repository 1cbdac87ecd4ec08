"""Where papers come from: one polite client, and the sources that ask arXiv through it."""
