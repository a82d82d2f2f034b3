"""Alembic's environment of accounts."""

from firstline.accounts.store.tables import METADATA
from firstline.common.store.migrate import run_environment

run_environment(METADATA)
