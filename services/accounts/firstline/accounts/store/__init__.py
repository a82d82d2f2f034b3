"""Tables and every query of accounts."""
