"""arXiv's three interfaces, each with a parser of its documents, and its calendar."""
