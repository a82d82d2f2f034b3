"""What every service shares: events, log, bus, inbox, store, policy, calendar, permissions, errors, telemetry."""
