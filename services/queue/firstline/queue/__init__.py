"""Who is served next: entries, claims and owners (clause 2.1)."""
