"""The values that all stages use: papers, their categories, and digests."""
