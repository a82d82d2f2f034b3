"""The verbs of accounts, one function each; nothing here knows HTTP, and nothing commits."""
