"""Ticket numbers are read as people type them; signed addresses and Message-IDs can't be made without the key."""

import random
import re
from email import message_from_string

import pytest
from firstline.common.addresses import (
    ALPHABET,
    message_id,
    new_number,
    normal_address,
    read_message_id,
    read_number,
    read_reply_address,
    reply_address,
    tagged_numbers,
    without_tags,
)
from firstline.common.ports import SystemRandom
from hypothesis import given
from hypothesis import strategies as st

KEY = b"k" * 32
NUMBER = "FL-7K3M-9QPX"
DELIVERY = "01933b9e-7c1d-7a52-8f00-1234567890ab"


class Fixed:
    """A random source that gives the same bytes each time."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    def bytes(self, count: int) -> bytes:
        """Return the bytes, which must be as many as are wanted."""
        assert count == len(self.value)
        return self.value


@pytest.mark.parametrize(
    ("drawn", "number"),
    [
        (bytes(5), "FL-0000-0000"),
        (b"\xff" * 5, "FL-ZZZZ-ZZZZ"),
        (b"\x00\x00\x00\x00\x01", "FL-0000-0001"),
        (b"\x08\x00\x00\x00\x00", "FL-1000-0000"),
        (bytes.fromhex("00443214c7"), "FL-0123-4567"),
    ],
)
def test_all_forty_bits_become_letters(drawn: bytes, number: str) -> None:
    """Five bytes are written as eight letters, the first bits first."""
    assert new_number(Fixed(drawn)) == number


def test_new_numbers_differ_and_read_back() -> None:
    """Numbers drawn from the system's source don't repeat, use the alphabet, and are already canonical."""
    numbers = [new_number(SystemRandom()) for _ in range(2000)]
    assert len(set(numbers)) == len(numbers)
    assert all(read_number(number) == number for number in numbers)
    assert set("".join(numbers)) == {*ALPHABET, "F", "L", "-"}


@pytest.mark.parametrize(
    "typed",
    [
        "FL-7K3M-9QPX",
        "fl-7k3m-9qpx",
        " FL - 7K3M - 9QPX ",
        "FL7K3M9QPX",
        "FL 7K3M 9QPX",
        "fl-7K3m9-qPx",
    ],
)
def test_number_is_read_however_it_is_typed(typed: str) -> None:
    """Letter case, spaces and hyphens don't matter."""
    assert read_number(typed) == NUMBER


def test_misread_letters_are_understood() -> None:
    """I and L stand for 1, O for 0, in either case; the prefix stays what it is."""
    assert read_number("FL-iLo0-OlI1") == "FL-1100-0111"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "FL",
        "FL-7K3M-9QP",
        "FL-7K3M-9QPXX",
        "XL-7K3M-9QPX",
        "FL-7K3M-9QPU",
        "FL-7K3M_9QPX",
        "7K3M-9QPX",
        "FL-7K3M-9QP\N{KELVIN SIGN}",
        "\N{LATIN SMALL LIGATURE FL}-7K3M-9QPX",
        "FL-7K3M-9QP\N{ARABIC-INDIC DIGIT THREE}",
    ],
)
def test_anything_else_is_no_number(typed: str) -> None:
    """Wrong lengths, U, other signs and look-alikes from other alphabets are refused."""
    assert read_number(typed) is None


@given(st.text(max_size=40))
def test_reading_never_fails(text: str) -> None:
    """Whatever is given is a canonical number or nothing."""
    number = read_number(text)
    assert number is None or read_number(number) == number


@pytest.mark.parametrize(
    "subject",
    [
        "[FL-7K3M-9QPX] Site is down",
        "Re: [FL-7K3M-9QPX] Site is down",
        "Re:[fl-7k3m-9qpx]: Site is down",
        "AW: Site is down [ FL-7K3M-9QPX ]",
        "Re: [\tFl-7k3M-9qPx\N{NO-BREAK SPACE}]",
        "([FL-7K3M-9QPX])",
    ],
)
def test_tag_is_found_in_the_subject(subject: str) -> None:
    """A tag counts wherever it stands, in any case, with spaces inside the brackets."""
    assert tagged_numbers(subject) == (NUMBER,)


@pytest.mark.parametrize(
    "subject",
    [
        "FL-7K3M-9QPX",
        "x[FL-7K3M-9QPX]",
        "[FL-7K3M-9QPX]x",
        "Übel[FL-7K3M-9QPX]",
        "_[FL-7K3M-9QPX]_",
        "[XFL-7K3M-9QPX]",
        "[FL-7K3M-9QPXX]",
        "[FL-7K3M 9QPX]",
        "[FL-7K3M-9QPU]",
        "[FL 7K3M 9QPX] ",
        "[[FL-7K3M-9QPX",
        "[FL-7K3M-9QP\N{FULLWIDTH DIGIT ONE}]",
    ],
)
def test_other_brackets_are_no_tag(subject: str) -> None:
    """A number without brackets, inside a word, or of another shape proposes nothing."""
    assert tagged_numbers(subject) == ()


def test_all_tags_count_once_in_order() -> None:
    """Beside a wrong number the right one is found too."""
    subject = "[FL-0000-0000] Re: [FL-7K3M-9QPX] Re: [fl-oooo-oooo]"
    assert tagged_numbers(subject) == ("FL-0000-0000", NUMBER)


def test_tags_do_not_pile_up() -> None:
    """A subject without its tags reads well, and other brackets stay."""
    assert without_tags("[FL-7K3M-9QPX]  Re: [fl-0000-0000] [urgent] Site") == "Re: [urgent] Site"


@pytest.mark.parametrize("spaces", [20_000, 40_000])
def test_tags_are_found_in_linear_time(spaces: int) -> None:
    """Many brackets and spaces end quickly and hold no tag."""
    assert tagged_numbers("[ " * spaces + "[" + " " * spaces) == ()


def test_addresses_compare_without_letter_case() -> None:
    """A-Z are lowered and blanks around go; look-alikes of other alphabets don't become ASCII."""
    assert normal_address(" Anna.B@Shop.EXAMPLE ") == "anna.b@shop.example"
    assert normal_address("\N{KELVIN SIGN}im@shop.example") != "kim@shop.example"
    assert normal_address("a\udc80b@shop.example") == "a?b@shop.example"


def test_reply_address_carries_the_number() -> None:
    """The address names the number, fits RFC 5321, and is read back whatever happened to its case."""
    address = reply_address(KEY, NUMBER, "support@desk.example")
    assert re.fullmatch(r"support\+fl-7k3m-9qpx\.[0-9a-z]{16}@desk\.example", address)
    assert len(address.partition("@")[0]) <= 64
    assert read_reply_address(KEY, address) == NUMBER
    assert read_reply_address(KEY, f" {address.upper()} ") == NUMBER


def test_reply_address_keeps_a_tag_of_its_own() -> None:
    """A base address that has a plus sign already still works."""
    assert read_reply_address(KEY, reply_address(KEY, NUMBER, "help+eu@desk.example")) == NUMBER


@pytest.mark.parametrize(
    "address",
    [
        "support@desk.example",
        "support+fl-7k3m-9qpx@desk.example",
        "support+fl-7k3m-9qpx.0000000000000000@desk.example",
        "support+fl-7k3m-9qpx.@desk.example",
        "fl-7k3m-9qpx.0000000000000000@desk.example",
        "",
        "@",
        "support+fl-7k3m-9qpx.00000000000\N{ARABIC-INDIC DIGIT ZERO}0000@desk.example",
    ],
)
def test_unsigned_reply_address_proves_nothing(address: str) -> None:
    """An address without our signature gives no number."""
    assert read_reply_address(KEY, address) is None


def test_signature_belongs_to_its_number_key_and_use() -> None:
    """Another number, another key, or a signature made for the other use is refused."""
    address = reply_address(KEY, NUMBER, "support@desk.example")
    mac = address.partition(".")[2].partition("@")[0]
    assert read_reply_address(KEY, address.replace("9qpx", "9qpy")) is None
    assert read_reply_address(b"x" * 32, address) is None
    assert read_message_id(KEY, f"<fl-7k3m-9qpx.{DELIVERY}.{mac}@desk.example>") is None


def test_every_changed_letter_breaks_the_signature() -> None:
    """None of the 16 signs of the signature is for show: 80 bits count."""
    address = reply_address(KEY, NUMBER, "support@desk.example")
    start = address.index(".") + 1
    for place in range(start, start + 16):
        other = "0" if address[place] != "0" else "1"
        assert read_reply_address(KEY, address[:place] + other + address[place + 1 :]) is None


def test_guesses_miss() -> None:
    """Twenty thousand random signatures open nothing."""
    guess = random.Random(7)
    letters = ALPHABET.lower()
    tries = ("".join(guess.choices(letters, k=16)) for _ in range(20_000))
    assert not any(read_reply_address(KEY, f"support+fl-7k3m-9qpx.{mac}@desk.example") for mac in tries)


def test_message_id_is_stable_and_well_formed() -> None:
    """A resend carries the same Message-ID, which survives a mail parser and is read back."""
    sent = message_id(KEY, NUMBER, DELIVERY, "desk.example")
    assert sent == message_id(KEY, NUMBER, DELIVERY, "desk.example")
    assert message_from_string(f"Message-ID: {sent}\n\n")["Message-ID"] == sent
    assert read_message_id(KEY, sent) == NUMBER
    assert read_message_id(KEY, sent.strip("<>").upper()) == NUMBER


def test_message_ids_of_deliveries_differ() -> None:
    """Each delivery has its own Message-ID, and its signature fits no other delivery."""
    sent = message_id(KEY, NUMBER, DELIVERY, "desk.example")
    other = DELIVERY.replace("ab", "ac")
    assert message_id(KEY, NUMBER, other, "desk.example") != sent
    assert read_message_id(KEY, sent.replace(DELIVERY, other)) is None


@pytest.mark.parametrize("foreign", ["", "<>", "<a@b>", "<fl-7k3m-9qpx.x@desk.example>", "<" + "a" * 5000 + "@b>"])
def test_foreign_message_id_proves_nothing(foreign: str) -> None:
    """Message-IDs of other programs give no number."""
    assert read_message_id(KEY, foreign) is None
