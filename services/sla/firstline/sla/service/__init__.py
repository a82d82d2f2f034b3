"""The verbs of sla: keeping clocks, and saying when the next answer is to be expected."""
