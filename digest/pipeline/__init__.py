"""The steps of a cycle: fetch, compose, deliver, clean up. Each may be stopped at any point and run again."""
