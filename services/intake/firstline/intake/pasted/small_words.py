"""Small words of ten languages beside names and passwords, and how words end that people say of one (clause 4.3).

They are grammar rather than cues, so they are not the policy's.
"""

from typing import Final

AS: Final = "as|with|under|mit|als|unter|avec|sous|comme|con|como|com|come|z|jako|na|ile|под|с|як|під|з"
"""Before a name to sign in with."""

AND: Final = "and|plus|und|et|y|e|i|oraz|ve|и|і|та"
OR_THEN: Final = (
    "or|then|oder|dann|ou|puis|o|luego|después|poi|depois|lub|potem|veya|sonra|или|затем|потом|або|потім|далі"
)
BESIDE: Final = f"{AND}|{AS}|then|dann|puis"
"""Between a name and its password."""

BOTH: Final = f"both|it|also|auch|beide|zarówno|hem|sia|tanto|оба|обидва|{AND}|{AS}"
"""Between a word for typing and what was typed."""

TO: Final = "to|auf|en|a|para|in|su|na|на"
"""Between an old code and a new one."""

PAYING: Final = "code|код|kod|código|codice|cv[vc]2?|cid|prüfziffer|kartenprüfnummer|güvenlik kodu"

_OTHER_CODES: Final = (
    "error status response exit return zip postal post country product article item source qr bar barcode promo"
    " discount coupon vat tax tariff hs ean currency http sqlstate branch bank sort swift area dialing dial invoice"
    " order case request ticket sap errno fehlercode fehler antwort postleitzahl artikel rabattcode erreur produit"
    " réponse respuesta producto erro resposta produto errore risposta prodotto articolo błędu odpowiedzi"
    " pocztowy produktu towaru hata ürün posta ошибки ошибка ответа товара страны региона города возврата"
    " отправления завершения почтовый промокод помилки відповіді товару країни поштовий"
)
OTHER_CODES: Final = frozenset(_OTHER_CODES.split())
"""What makes a code one that lets nobody in."""

UNITS: Final = "px|mm|ms|kb|mb|gb|eur|usd|rub|руб|грн|шт|characters|digits|users|rows|zł|tl"
"""Behind a number: it counts or measures something."""

OTHER_KEYS: Final = (
    "licen[cs]e|licencia|licença|licenza|licencyjny|lisans|cache|public|primary|foreign|product|array|registry|ssh"
    "|activation|lizenz|öffentlicher|publique|pública|pubblica|publiczny|açık|открытый|публичный|первичный|внешний"
    "|лицензионный|відкритий|публічний|ліцензійний|первинний"
)
"""Before the word `key`: it is none to get in with, or has rules of its own."""

SAID: Final = (
    # English, German
    "ed|ing|able|ible|ous|less|ly|lich|bar|iert|igt|ungen?|ieren"
    # Romance languages
    "|[aiu]d[oa]s?|ata|ato|uto|it[oa]|mente|é|ée|és|ées|euse|eux|tion|ción|ção|zione"
    # Polish, Turkish
    "|[izżśl]on[aey]|[owdzlrn]an[aey]|ować|ić|yć|yor|m[iıuü]ş|d[iıuü]|t[iı]|lar|ler"
    # Russian and Ukrainian
    "|н?ый|ная|ное|ные|ний|ого|ому|[аяие]ть|ться|[аяеи]тся|ється|ються|[аяую]ют|[уаяю]ет|ють|[ае]н[аоиы]?|ешь|илс[яь]"
    "|л[аои]сь|ння|[аеі]ні|[иы]ми|ость|ени[еяй]|анн?и[еяй]|[аи]л[аио]|[уаяе]ю|[уая]ем|ишу|ите|[ая]йте"
)
"""Ends of participles, adjectives and verbs, which people say of a password."""
