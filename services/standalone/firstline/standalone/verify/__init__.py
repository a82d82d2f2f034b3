"""`firstline verify`: whether the logs are as they were written, told from their rows alone and from kept heads.

A log is read once, a page at a time; beside a page, memory holds what was erased from, a hash for each such row.
"""
