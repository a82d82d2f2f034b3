"""Request and response bodies of intake's API."""
