"""TeX becomes text that reads: `convert` is the way in."""
