"""The real servers that tests run against, by one name: PostgreSQL, RabbitMQ and PgBouncer."""

from owned_process import free_port
from pgbouncer_server import PgBouncer, pgbouncer_server, why_no_pgbouncer
from postgres_server import PostgresServer, named_postgres, postgres_server, why_no_postgres
from rabbit_server import RabbitServer, named_rabbit, rabbit_server, why_no_rabbit

__all__ = [
    "PgBouncer",
    "PostgresServer",
    "RabbitServer",
    "free_port",
    "named_postgres",
    "named_rabbit",
    "pgbouncer_server",
    "postgres_server",
    "rabbit_server",
    "why_no_pgbouncer",
    "why_no_postgres",
    "why_no_rabbit",
]
