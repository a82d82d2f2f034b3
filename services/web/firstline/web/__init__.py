"""Portal and console: server-rendered pages, a client of the public API with no store of its own (clause 4.4)."""
