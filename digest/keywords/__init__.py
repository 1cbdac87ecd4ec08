"""The keyword language, and which papers match a keyword."""
