"""What a list is asked for, as the store takes it."""

from firstline.common.addresses import normal_address
from firstline.common.errors import Fault, Invalid
from firstline.common.store.port import Value
from firstline.intake.schemas.bulk import FilterIn
from firstline.intake.search import query_of
from firstline.intake.store.tickets import EQUALITIES, Wanted


def wanted_of(given: FilterIn, *, limit: int, after: str | None = None, root: str = "#query") -> Wanted:
    """Return what the store is to look for; `root` is where the filter stands in the call.

    Raises:
        Invalid: nothing in `q` can be searched for, or a time lacks its zone.

    """
    if given.updated_after is not None and given.updated_after.tzinfo is None:
        fault = Fault(f"{root}/updated_after", "Give the time zone, such as 2026-11-23T06:00:00Z.")
        raise Invalid("A time without its zone can't be compared.", faults=(fault,))
    asked = query_of(given.q or "")
    if given.q and not (asked.number or asked.people or asked.terms):
        fault = Fault(f"{root}/q", "Use words of at least three letters, a number such as FL-7K3M-9QPX, or an address.")
        raise Invalid("There is nothing to search for.", faults=(fault,))
    equal: dict[str, Value] = {name: getattr(given, name, None) for name in EQUALITIES} | {"number": asked.number}
    return Wanted(
        equal={name: value for name, value in equal.items() if value is not None},
        people=(*([normal_address(given.requester)] if given.requester else []), *asked.people),
        updated_after=given.updated_after,
        terms=asked.terms,
        after=after,
        limit=limit,
    )
