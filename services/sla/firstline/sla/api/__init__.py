"""Sla's HTTP routes: calculations on calendars, and clocks."""
