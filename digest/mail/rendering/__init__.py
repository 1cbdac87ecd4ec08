"""Renders a digest as the text and HTML of a mail, with the templates."""
