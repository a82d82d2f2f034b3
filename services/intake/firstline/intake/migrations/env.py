from firstline.common.store.migrate import run_environment
from firstline.intake.store.tables import METADATA

run_environment(METADATA)
