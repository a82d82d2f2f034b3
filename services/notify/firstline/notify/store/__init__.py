"""Notify's tables and every query on them, one module a subject."""
