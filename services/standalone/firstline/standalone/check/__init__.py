"""`firstline check`: whether a desk keeps its promises, read from its stores behind the services' backs.

`run.PROMISES` names the promises. Everything is read in pages along primary keys; no row is changed.
"""
