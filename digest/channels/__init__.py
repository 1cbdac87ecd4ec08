"""Where digests go besides mails: webhooks, chats and folders."""
