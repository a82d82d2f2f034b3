"""Who may do what: people, organisations, licences, API keys, sign-in and tokens."""
