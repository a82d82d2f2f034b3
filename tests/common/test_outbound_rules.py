"""Which addresses an outgoing request may name (security check 42): the pure part, before any socket."""

import ipaddress
import random
import socket

import pytest
from firstline.common.errors import Invalid
from firstline.common.outbound_rules import (
    NotAllowedAddress,
    OutboundRules,
    UnusableUrl,
    admitted,
    check_url,
    is_public,
)
from hypothesis import example, given
from hypothesis import strategies as st

NOBODY = OutboundRules()

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1"),
    *("[::1]", "[::]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[ff02::1]", "[2001:db8::1]", "[2002:7f00:1::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[::7f00:1]", "[2001::1]"),
    *("[100::1]", "[5f00::1]", "localhost", "LOCALHOST", "a.localhost"),
]

ODD = [
    *("http://2130706433/", "http://0177.0.0.1/", "http://0x7f000001/", "http://0x7f.1/", "http://127.1/"),
    *("http://127.0.0.1./", "http://localhost./", "http://0/", "http://0x/", "http://1.2.3.4.5/", "http://999.1.1.1/"),
    *(
        "http://user@8.8.8.8/",
        "http://user:word@hooks.example/",
        "http://hooks.example@127.0.0.1/",
        "http://@a.example/",
    ),
    *("http://[fe80::1%eth0]/", "http://[fe80::1%25eth0]/", "http://[::1", "http://::1/", "http://[hooks.example]/"),
    *(
        "http://①②⑦.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127。0。0。1/",
        "http://hooks.example。/",
        "http://bücher.example/",
    ),
    *("http://ho%6fks.example/", "http://hooks..example/", "http://.example/", "http://-a.example/", "http:///path"),
    *("ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/", "//hooks.example/", "hooks.example", ""),
    *(
        "http://hooks.example\\@127.0.0.1/",
        "http://hooks.example/ x",
        "http://hooks.example/\r\nX: y",
        "\thttp://a.example/",
    ),
    *(
        "http://hooks.example:/",
        "http://hooks.example:80:80/",
        "http://hooks.example:\uff18\uff10/",
        "http://hooks.example/#part",
    ),
    *("http://hooks.example/\x00", "http://a" + ".a" * 200 + "/", "http://" + "a" * 64 + ".example/"),
    *("http://hooks.example/" + "a" * 2100, "http\u017f://hooks.example/"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_places_are_refused(host: str) -> None:
    """An address outside the public Internet is refused at registration, with a pointer to the value."""
    with pytest.raises(NotAllowedAddress) as refusal:
        check_url(f"https://{host}/hook", NOBODY)
    assert refusal.value.faults[0].pointer == "/url"


@pytest.mark.parametrize("url", ODD)
def test_odd_notations_are_refused(url: str) -> None:
    """A URL that two readers could read differently is refused with advice, whatever it leads to."""
    with pytest.raises(UnusableUrl) as refusal:
        check_url(url, OutboundRules.allowing(["0.0.0.0/0", "::/0"]))
    assert refusal.value.faults[0].detail == refusal.value.detail != ""


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://hooks.example/",
            "http://hooks.example",
            "https://hooks.example:8443/a/b?c=d&e=%20f",
            "http://8.8.8.8/",
        ),
        *(
            "https://[2606:4700::1111]/x",
            "HTTPS://Hooks.EXAMPLE/Path",
            "https://xn--bcher-kva.example/",
            "https://a_b.example/",
        ),
    ],
)
def test_plain_public_addresses_pass(url: str) -> None:
    """A plain URL with a name or a public address is fine."""
    check_url(url, NOBODY)


def test_a_url_is_taken_apart_once() -> None:
    """Host, port, path and Host header come from one reading of the URL."""
    target = admitted("https://Hooks.Example:8443?a=b", NOBODY)
    assert (target.host, target.port, target.path) == ("hooks.example", 8443, "/?a=b")
    assert target.authority == "hooks.example:8443"
    assert admitted("https://[2606:4700::1]:443/", NOBODY).authority == "[2606:4700::1]"


@pytest.mark.parametrize("port", [0, 22, 25, 81, 442, 1023, 5432, 5672, 6379, 15672, 65536, 99999])
def test_ports_of_other_services_are_closed(port: int) -> None:
    """Only 80, 443 and high ports that no store or broker uses are open, even on an allowed network."""
    with pytest.raises(NotAllowedAddress, match="closed"):
        check_url(f"http://127.0.0.1:{port}/", OutboundRules.allowing(["127.0.0.0/8"]))


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65535])
def test_web_and_high_ports_are_open(port: int) -> None:
    """The web's two ports and free high ones are open."""
    check_url(f"http://hooks.example:{port}/", NOBODY)


def test_settings_allow_networks_and_names() -> None:
    """An allow-list entry opens exactly its network, its address or its name."""
    rules = OutboundRules.allowing(["10.1.0.0/16", "127.0.0.1", "fd00::/8", "Hooks.Internal"], closed_ports=[8125])
    for url in (
        "http://10.1.2.3/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[fd00::5]/",
        "http://hooks.internal/",
    ):
        check_url(url, rules)
    for url in (
        "http://10.2.0.1/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://10.1.2.3:8125/",
        "http://[::ffff:10.1.2.3]/",
    ):
        with pytest.raises(NotAllowedAddress):
            check_url(url, rules)
    assert rules.admits("hooks.internal", ipaddress.ip_address("192.168.0.1"))
    assert not rules.admits("other.internal", ipaddress.ip_address("192.168.0.1"))


@pytest.mark.parametrize("entry", ["10.1.2.3/16", "not a host", "http://a.example", "", "a..b", "10.0.0.0/33"])
def test_an_unreadable_setting_is_refused(entry: str) -> None:
    """A wrong allow-list entry stops the start instead of opening something else."""
    with pytest.raises(Invalid, match="neither a host name nor a network"):
        OutboundRules.allowing([entry])


@given(st.integers(0, 2**32 - 1))
@example(int(ipaddress.ip_address("192.31.196.1")))
def test_public_means_public_to_the_standard_library_too(number: int) -> None:
    """No IPv4 address that the standard library calls private, reserved or multicast counts as public."""
    address = ipaddress.IPv4Address(number)
    if is_public(address):
        assert address.is_global
        assert not any((address.is_private, address.is_reserved, address.is_multicast))


@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**125 - 1).map(lambda n: n + (1 << 125)))
def test_public_ipv6_hides_no_ipv4(number: int) -> None:
    """No public IPv6 address carries an IPv4 address that the network would unpack."""
    address = ipaddress.IPv6Address(number)
    if is_public(address):
        assert address.is_global
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None


def _spelling(rng: random.Random) -> str:
    """Spell an IPv4 address the way C libraries read it: one to four parts, each decimal, octal or hex."""
    value, parts = rng.choice([0x7F000001, 0x0A000001, 0xA9FEA9FE, rng.getrandbits(32)]), rng.randint(1, 4)
    numbers = [(value >> (24 - 8 * n)) & 255 for n in range(parts - 1)] + [value & (2 ** (8 * (5 - parts)) - 1)]
    return ".".join(rng.choice(["{:d}", "0{:o}", "0x{:x}", "0X{:X}", "0x00{:x}", "00{:o}"]).format(n) for n in numbers)


@given(st.integers(0, 2**63))
def test_whatever_a_c_library_reads_as_an_address_is_judged_as_one(seed: int) -> None:
    """A host that `inet_aton` takes for an address passes only when it is that address in plain public form."""
    host = _spelling(random.Random(seed))
    packed = socket.inet_aton(host)
    try:
        check_url(f"http://{host}/", NOBODY)
    except (UnusableUrl, NotAllowedAddress):
        return
    assert host == socket.inet_ntoa(packed)
    assert ipaddress.IPv4Address(packed).is_global


@given(st.text(max_size=60) | st.from_regex(r"https?://[0-9a-fxA-F:.\[\]@%#/?\\]{1,40}", fullmatch=True))
@example("http://a.example?@")
def test_any_text_is_read_or_refused(url: str) -> None:
    """The reader of URLs never fails in another way than by its own refusals."""
    try:
        target = admitted(url, NOBODY)
    except (UnusableUrl, NotAllowedAddress):
        return
    assert target.host in url.lower()
    assert "@" not in url.replace("?", "/").split("/")[2]
