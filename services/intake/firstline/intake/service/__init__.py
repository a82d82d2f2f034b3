"""The verbs of intake, one function each, with plain arguments."""
