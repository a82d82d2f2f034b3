"""The verbs of the queue, each in its caller's transaction and with its events."""
