"""Each way by which mails may leave: a module for each name in `digest.config.transports`."""
