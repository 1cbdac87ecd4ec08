"""Papers as references: BibTeX, RIS, CSL-JSON, Markdown and COinS."""
