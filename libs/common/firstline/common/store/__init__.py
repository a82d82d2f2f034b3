"""The store port: units of work in one transaction, over SQLite here and PostgreSQL beyond one machine."""
