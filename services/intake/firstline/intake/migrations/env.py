from firstline.common.store.migrate import run_environment
from firstline.intake.store import (  # noqa: F401 (their tables are in the metadata once loaded)
    article_tables,
    held_tables,
    incident_tables,
    vault_tables,
    word_tables,
)
from firstline.intake.store.tables import METADATA

run_environment(METADATA)
