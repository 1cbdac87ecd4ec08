"""The sources of papers: `base.Source` is the protocol; each server has a folder."""
