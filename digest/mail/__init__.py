"""From a digest to a mail, from a mail to a server, and what comes back. `transport.Transport` is the
seam.
"""
