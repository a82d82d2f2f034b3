"""Where outgoing requests may go: which URLs, hosts, addresses and ports. Pure; the client in `outbound` obeys it."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from firstline.common.errors import Fault, Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
WEB_PORTS = {"http": 80, "https": 443}
FREE_PORTS = range(1024, 65536)
# Stores, brokers, caches and control ports: never a webhook receiver, often reachable from where a desk runs.
CLOSED_PORTS = frozenset(
    {1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 4369, 5432, 5433, 5671, 5672, 6379, 6432, 6443, 8500, 9042}
    | {9092, 9200, 9300, 10250, 11211, 15672, 25672, 27017}
)
# The special-purpose registries of IANA (RFC 6890), which `ipaddress.is_global` of this Python covers only in part.
SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")

URL_CHARS = 2048
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?][a-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
# A last label that is a number makes the host an IPv4 address, whatever its form (WHATWG URL): resolvers take 127.1,
# 0x7f.0.0.1 or 2130706433 for 127.0.0.1, so only the form of four decimal numbers passes.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


class UnusableUrl(Invalid):
    """The address is not written in the plain form that an outgoing request takes."""

    title = "The address can't be used"


class NotAllowedAddress(Invalid):
    """The address leads to a place that this desk doesn't send to: private, reserved, or a closed port."""

    title = "The address is not allowed"


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """What outgoing requests may reach beside public addresses.

    Attributes:
        networks: allowed although not public.
        hosts: names (lower case) that may lead to any address.
        closed_ports: refused everywhere; below 1024 only 80 and 443 are open.

    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    closed_ports: frozenset[int] = CLOSED_PORTS

    @classmethod
    def allowing(cls, entries: Iterable[str], closed_ports: Iterable[int] = ()) -> "OutboundRules":
        """Read a setting: addresses, CIDR networks and host names to allow; ports to close beside the usual ones.

        Raises:
            Invalid: an entry is neither an address, a network nor a host name.

        """
        networks, hosts = [], []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if "/" in entry or not _is_name(entry.lower()):
                    raise Invalid(
                        f"{entry!r} is neither a host name nor a network such as 10.1.0.0/16 without host bits."
                    ) from None
                hosts.append(entry.lower())
        return cls(tuple(networks), frozenset(hosts), CLOSED_PORTS | frozenset(closed_ports))

    def admits(self, host: str, address: Address) -> bool:
        """Tell whether a request to `host` may connect to `address`."""
        return host in self.hosts or is_public(address) or any(address in network for network in self.networks)

    def opens(self, port: int) -> bool:
        """Tell whether a request may go to this port."""
        return port in WEB_PORTS.values() or (port in FREE_PORTS and port not in self.closed_ports)


def is_public(address: Address) -> bool:
    """Tell whether the address is a unicast address of the public Internet; all embeddings of IPv4 in IPv6 are not."""
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_IPV6:
        return False
    return not any(address in network for network in SPECIAL)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: `host` in lower case without brackets, `address` where the host is one."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def known(self) -> tuple[Address, ...]:
        """Addresses that need no resolver: the literal one, or loopback for `localhost` (RFC 6761)."""
        if self.address is not None:
            return (self.address,)
        return LOOPBACK if self.host == "localhost" or self.host.endswith(".localhost") else ()

    @property
    def authority(self) -> str:
        """The `Host` header's value."""
        host = f"[{self.host}]" if isinstance(self.address, ipaddress.IPv6Address) else self.host
        return host if self.port == WEB_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, rules: OutboundRules) -> None:
    """Check a URL at registration, as far as that is possible without asking a resolver.

    Raises:
        UnusableUrl: it isn't a plain http or https URL; the fault says how to write it.
        NotAllowedAddress: it names a private or reserved address or a closed port.

    """
    target = admitted(url, rules)
    if target.known and not any(rules.admits(target.host, address) for address in target.known):
        raise not_allowed(f"{target.host} is not a public address. Use one, or have the operator allow this network.")


def admitted(url: str, rules: OutboundRules) -> Target:
    """Take a URL apart; raise as `check_url` does, but leave its addresses to whoever connects."""
    target = _read(url)
    if not rules.opens(target.port):
        raise not_allowed(f"Port {target.port} is closed to outgoing requests. Use 443, 80, or a free one above 1023.")
    return target


def _read(url: str) -> Target:
    """Take a URL apart by one strict pattern; the checks before it are there to say what is wrong.

    Parsers of URLs disagree about odd ones, and what one checks the other may connect to differently. So only the plain
    form is taken, which all read alike.
    """
    if not url.isascii():
        raise _unusable("Write it in plain ASCII: international names in their xn-- form, other signs as %XX.")
    if not re.match(r"https?://", url, re.IGNORECASE):
        raise _unusable("Begin with https:// or http://.")
    # The backslash too: some parsers end the host there.
    if "@" in re.split(r"[/?#\\]", url, maxsplit=3)[2]:
        raise _unusable("Leave out the user name and password; deliveries are signed.")
    parts = _URL.fullmatch(url) if len(url) <= URL_CHARS else None
    if parts is None:
        raise _unusable(f"Write it as https://host.example/path, at most {URL_CHARS} characters, without a # part.")
    scheme, host, path = parts["scheme"].lower(), parts["host"].lower().strip("[]"), parts["path"] or "/"
    address = _literal(host)
    return Target(
        scheme, host, int(parts["port"] or WEB_PORTS[scheme]), path if path.startswith("/") else f"/{path}", address
    )


def _literal(host: str) -> Address | None:
    """Return the address that a host is, None for a name."""
    if ":" not in host and not _NUMBER.fullmatch(host.rpartition(".")[2]):
        if not _is_name(host):
            raise _unusable("Write the host as a name such as hooks.example.com, without a dot at the end.")
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise _unusable("Write an IP address as four decimal numbers, or as IPv6 in brackets.") from None


def _is_name(host: str) -> bool:
    """Say whether every label of a host is one; the underscore is no letter of host names, but in use."""
    return all(_LABEL.fullmatch(label) for label in host.split("."))


def _unusable(advice: str) -> UnusableUrl:
    """Return the error for a URL of another form, with advice on how to write it."""
    return UnusableUrl(advice, faults=(Fault("/url", advice),))


def not_allowed(advice: str) -> NotAllowedAddress:
    """Return the error for a place that nothing is sent to."""
    return NotAllowedAddress(advice, faults=(Fault("/url", advice),))
