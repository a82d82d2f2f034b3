from firstline.common.store.migrate import run_environment
from firstline.sla.store import METADATA

run_environment(METADATA)
