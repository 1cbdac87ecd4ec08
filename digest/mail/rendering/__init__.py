"""From a digest to the text and HTML of a mail, by the templates."""
