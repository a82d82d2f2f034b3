"""What all tables of sla are defined in."""

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from firstline.common.store.tables import (
    NAMING,
    add_answer_table,
    add_erasure_table,
    add_inbox_tables,
    add_log_tables,
)

METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_inbox_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)


class SlaTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, with metadata of its own."""
