"""`digest demo`: the whole path over invented papers, on this machine alone."""
