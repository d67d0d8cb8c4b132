"""The post office itself: delivery, inboxes, the outbox, threads, the registry, attachments, identity."""
