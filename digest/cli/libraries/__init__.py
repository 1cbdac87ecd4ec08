"""Papers of a reference manager: exported files, and a library on zotero.org."""
