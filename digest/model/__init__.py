"""The values that every stage passes on: papers, their categories, and digests."""
