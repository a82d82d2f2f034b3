"""Words of requests: what is kept of a text, what a search asks for, and where words are marked."""

import pytest
from firstline.intake.search import LONGEST_TERM, MOST_OF_ONE, MOST_TERMS, Excerpt, Term, excerpt, query_of, terms_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The page stays WHITE after the update", ["white", "Updates", "pages"]),
        ("Die Straße ist für Müller gesperrt", ["strasse", "MULLER", "Fur"]),
        ("Страница белая после обновления", ["страницы", "БЕЛАЯ", "обновление"]),
        ("更新後にページが白くなります", ["更新", "ページ", "白"]),
        ("Error 0x80070005 in v24.200", ["0x80070005", "v24", "200", "V24.200", "errors"]),
        ("Déjà vu", ["deja", "DÉJÀ"]),
    ],
)
def test_words_are_found_in_other_forms(text: str, found: list[str]) -> None:
    """Capitals, accents and endings don't matter, in scripts with and without spaces."""
    kept = terms_of(text)
    for typed in found:
        terms = query_of(typed).terms
        assert terms, typed
        for term in terms:
            assert any(term.finds(one) for one in kept), (typed, term)


def test_codes_are_found_as_they_are() -> None:
    """A code that differs in its last sign is another one; short words are not kept."""
    assert query_of("0x80070005").terms == (Term("0x80070005", whole=True),)
    assert terms_of("it is a 0x80070005") == ["0x80070005"]


def test_a_search_takes_numbers_and_addresses_apart() -> None:
    """What looks like a number or an address is one; the rest are words."""
    assert query_of("fl 7k3m 9qpx").number == "FL-7K3M-9QPX"
    asked = query_of("slow Clara@Shop.example fl-7k3m-9qpx page")
    assert (asked.number, asked.people) == ("FL-7K3M-9QPX", ("clara@shop.example",))
    assert [term.text for term in asked.terms] == ["slow", "page"]
    assert query_of("of !! a") == query_of("")


def test_what_is_kept_has_a_bound() -> None:
    """A text and a request keep no more words than the database can, and no longer ones."""
    text = " ".join(f"{'𝔵' * 30}{number}" for number in range(3 * MOST_TERMS))
    assert len(terms_of(text)) <= MOST_TERMS
    many = [" ".join(f"w{number}x{part}" for number in range(MOST_TERMS)) for part in range(9)]
    assert len(terms_of(*many)) == MOST_OF_ONE
    assert max(len(term) for term in terms_of("a1" * 99, "b" * 99)) == LONGEST_TERM


def test_words_are_marked_where_they_stand() -> None:
    """An excerpt is a line around the first word found, with all that were asked for marked in it."""
    terms = query_of("updates white").terms
    found = excerpt("Hello.\n\n" + "Nothing here. " * 40 + "After the UPDATE the page\nstays white.", terms)
    assert found is not None
    assert [found.text[begin:end] for begin, end in found.marks] == ["UPDATE", "white"]
    assert len(found.text) <= 220
    assert "\n" not in found.text
    assert excerpt("Nothing.", terms) is None
    assert excerpt("白い更新後", query_of("更新後").terms) == Excerpt("白い更新後", ((2, 5),))
