"""What notify does: mails for events, the feed, webhooks and their endpoints."""
