"""Converts TeX to readable text, with `convert`."""
