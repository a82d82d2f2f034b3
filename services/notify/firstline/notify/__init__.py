"""Telling: acknowledgements and replies by mail, webhooks and the public event feed (clause 4.4)."""
