from firstline.common.store.migrate import run_environment
from firstline.intake.store import word_tables  # noqa: F401 (its table is in the metadata once it is loaded)
from firstline.intake.store.tables import METADATA

run_environment(METADATA)
