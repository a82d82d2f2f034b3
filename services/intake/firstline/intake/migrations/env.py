from firstline.common.store.migrate import run_environment
from firstline.intake.store import article_tables, word_tables  # noqa: F401 (their tables are in the metadata once loaded)
from firstline.intake.store.tables import METADATA

run_environment(METADATA)
