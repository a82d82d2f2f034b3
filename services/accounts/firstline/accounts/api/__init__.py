"""The HTTP routes of accounts, one module a resource."""
