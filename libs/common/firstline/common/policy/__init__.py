"""The support policy as data: its model, the checks it must pass, its loader and the texts that clients read."""
