"""Intake's tables and every query on them."""
