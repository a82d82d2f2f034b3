from firstline.common.store.migrate import run_environment
from firstline.notify.store.tables import METADATA

run_environment(METADATA)
