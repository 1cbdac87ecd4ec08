"""`digest demo`: all steps with invented papers, on this machine alone."""
