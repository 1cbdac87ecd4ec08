"""The steps of a cycle: fetch, compose, deliver, clean up. Each can stop at any point and run again."""
