"""Queries on what silence does next, and when."""

from datetime import datetime

from firstline.common.store.port import Sql

SAVE_DUE: Sql[None] = Sql(
    "INSERT INTO due (ticket_id, due_at) VALUES (:ticket_id, :due_at)"
    " ON CONFLICT (ticket_id) DO UPDATE SET due_at = excluded.due_at",
    type(None),
)
DROP_DUE: Sql[None] = Sql("DELETE FROM due WHERE ticket_id = :ticket_id", type(None))
# Without a lock: whoever acts on one locks the request and looks once more.
DUE = Sql("SELECT ticket_id FROM due WHERE due_at <= :now ORDER BY due_at LIMIT :limit", str)
NEXT_DUE = Sql("SELECT due_at FROM due ORDER BY due_at LIMIT 1", datetime)
