"""The system of record: requests, their correspondence and every fact about them."""
