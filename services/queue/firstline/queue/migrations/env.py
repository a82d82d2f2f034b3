from firstline.common.store.migrate import run_environment
from firstline.queue.store import METADATA

run_environment(METADATA)
