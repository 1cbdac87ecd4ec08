"""The checks of `digest doctor`: a module for each subject, a function for each check."""
