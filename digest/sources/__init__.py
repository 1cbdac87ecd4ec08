"""Where papers come from: `base.Source` is the seam, and each server has a folder."""
