"""What `digest doctor` looks at: a module for each subject, a function for each check."""
