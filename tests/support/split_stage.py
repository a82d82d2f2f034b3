"""The stage on which separate services are attacked: servers of their own, two replicas of each service, short targets.

The servers are this stage's alone: another desk on the same broker would take its events away.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from campaign import Load, Record, compare, everything, introduce
from firstline.standalone.wiring import SERVICES
from live_desk import eventually
from mail_sink import MailSink, mail_sink
from prometheus_client.parser import text_string_to_metric_families
from servers import PostgresServer, RabbitServer, postgres_server, rabbit_server
from split_checks import check_clocks, check_log, check_milestones, check_queue, histories, rows, settled
from split_desk import Replica, SplitDesk, split_desk

PULL_SECONDS = 5
TARGETS = {"first_response": 1, "next_response": 2}
"""Business minutes: short, so that warnings and breaches fall due in the middle of the attack."""

HOURS = [[f"{hour:02}:00", f"{hour:02}:50"] for hour in range(24)]
CALENDAR = {"tz": "UTC", "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), HOURS)}
"""Open for fifty minutes of every hour, whatever day the tests run on."""

PACK = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"


@dataclass
class Stage:
    """A desk with its servers and the relay that takes its mails."""

    desk: SplitDesk
    postgres: PostgresServer
    rabbit: RabbitServer
    sink: MailSink

    @property
    def room(self) -> RabbitServer:
        """The part of the broker that is the desk's, with its queues."""
        assert self.desk.broker is not None
        return self.desk.broker

    def load(self, record: Record, name: str, **more: Any) -> Load:
        """Return load on this desk; its mails go to both replicas of intake."""
        ports = [int(replica.environment["FIRSTLINE_SMTP_PORT"]) for replica in self.desk.replicas["intake"]]
        return Load(self.desk, record, name, smtp_ports=ports, **more)

    def mailers(self, name: str, count: int) -> list[str]:
        """Return addresses of people whom every service knows."""
        addresses = [f"{name}m{index}@mail.example" for index in range(count)]
        introduce(self.desk, addresses)
        statement = "SELECT COUNT(*) FROM person WHERE email = ANY($1)"
        for service in ("intake", "notify"):
            eventually(lambda service=service: rows(self.desk, service, statement, addresses)[0][0] == count)  # type: ignore[misc]
        return addresses


@contextmanager
def split_stage(folder: Path, **environment: str) -> Iterator[Stage]:
    """Run a desk of two replicas of each service, ready to be attacked."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "policy.yaml"
    policy.write_text(_short_policy(PACK.read_text()))
    with (
        mail_sink(folder / "desk" / "mail") as sink,
        postgres_server(folder / "postgres") as postgres,
        rabbit_server(folder / "rabbit") as rabbit,
        split_desk(
            folder / "desk",
            postgres,
            rabbit,
            replicas=2,
            FIRSTLINE_POLICY=str(policy),
            FIRSTLINE_PULL_SECONDS=str(PULL_SECONDS),
            FIRSTLINE_MAIL_SMTP=f"127.0.0.1:{sink.port}",
            FIRSTLINE_MAIL_SMTP_SECURITY="none",
            **environment,
        ) as desk,
    ):
        yield Stage(desk, postgres, rabbit, sink)


def _short_policy(text: str) -> str:
    """Return the pack with the calendar and the targets of this stage."""
    hours = "".join(f"    {day}: {_yaml(spans)}\n" for day, spans in CALENDAR["hours"].items())  # type: ignore[attr-defined]
    text, found = re.subn(r"(?m)^  hours:\n(?:    \w+: .*\n)+", f"  hours:\n{hours}", text, count=1)
    minutes = ", ".join(f"{name}: {value}" for name, value in TARGETS.items())
    text, changed = re.subn(r"(?m)^    normal: {first_response.*}$", f"    normal: {{{minutes}}}", text, count=1)
    assert (found, changed) == (1, 1), "the pack's calendar or targets look otherwise than this test thinks"
    return text


def _yaml(spans: list[list[str]]) -> str:
    return "[" + ", ".join(f"[{start}, {end}]" for start, end in spans) + "]"


def figures(replica: Replica, name: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Yield the labels and values of one of a process's figures."""
    text = httpx.get(f"{replica.url}/metrics", timeout=10).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                yield sample.labels, sample.value


def check(stage: Stage, record: Record, title: str) -> None:
    """Let the desk settle, then compare all that its services hold with one another and with the record."""
    print(f"{title}: {record}")
    with stage.desk.api("agent", "counter") as agent:
        settled(stage.desk, agent)
        tickets = compare(stage.desk, agent, record)
        people = Counter(person["email"] for person in everything(agent, "/v1/people"))
        logs = {service: check_log(stage.desk, service) for service in SERVICES}
        told = histories(logs["intake"])
        check_queue(agent, told)
        check_clocks(agent, told, TARGETS, CALENDAR)
    check_milestones(logs["sla"])
    assert set(told) == {ticket["id"] for ticket in tickets}
    assert {address for address in record.people if people[address] != 1} == set()
    assert {ticket_id for ticket_id in record.resolved if told[ticket_id].resolutions == 0} == set()
    said = Counter(message_id for ticket in told.values() for message_id in ticket.messages)
    assert {message_id for message_id in record.said if said[message_id] != 1} == set()
