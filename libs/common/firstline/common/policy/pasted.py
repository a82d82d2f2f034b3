"""What a policy says of secrets that people paste into texts (clause 4.3): cue words, masks, what the writer reads."""

from typing import Literal

from pydantic import PositiveInt

from firstline.common.policy.parts import Part, Words

SecretKind = Literal["password", "private_key", "token", "licence_key"]
"""What a pasted secret seems to be."""

LAST_FOUR = "{{ last4 }}"
"""Where the end of a licence key stands in its mask."""

Phrases = tuple[Words, ...]


class Cues(Part):
    """Words that secrets stand beside, in all languages that clients write; letter case doesn't matter.

    Attributes:
        password: what a password is announced by.
        login: what a user's name is announced by.
        token: what the key of an interface is announced by.
        licence_key: what the product's key is announced by.
        access: ways in; beside them a name and a password may stand without any label.
        joins: words between a cue and its value, such as `is`.
        about: words that begin a remark between a cue and its colon, such as `for`.
        never: what stands behind a cue and is no secret, such as `forgotten`.
        keys: words that mean a password only in their place, such as `word` and `key`.
        opens: what such a key opens: networks, archives, safes.
        codes: what a code is announced by.
        coded: what makes a code a secret, such as `sms` and `door`.
        changes: words behind which a new password stands, such as `changed it to`.
        enters: words behind which something stands that is typed in, such as `opens with`.
        tries: words of somebody who tells what was typed.
        thus: words that lead to a name for what was said before, such as `i.e.`.
        same: words that say that a password stays what it was.
        old: words for the password that another has replaced.
        ways: words of getting in, and of accounts and places to get into.
        mine: words that say whose a password is.
        ends: words that begin the next thing said, so that a value ends before them.

    """

    # Defaults in English, so that a policy of an earlier release, which names none, masks too.
    password: Phrases = ("password", "passwords", "passphrase", "passwd", "passcode", "pass", "pwd")
    login: Phrases = ("login", "user", "username", "user name", "account")
    token: Phrases = (
        *("api key", "api_key", "apikey", "api token", "access token", "access key", "auth token", "secret key"),
        *("client secret", "client_secret", "webhook secret", "bearer token", "token", "secret"),
    )
    licence_key: Phrases = ("licence key", "license key", "licence", "license", "serial number", "product key")
    access: Phrases = ("ssh", "ftp", "sftp", "ftps", "rdp", "vpn", "cpanel", "plesk", "control panel", "mysql")
    joins: Phrases = ("is", "was", "are")
    about: Phrases = ("for", "of", "to", "from", "on", "at", "in")
    never: Phrases = (
        "see",
        "above",
        "below",
        "empty",
        "none",
        "required",
        "wrong",
        "incorrect",
        "invalid",
        "forgotten",
    )
    keys: Phrases = ("word", "secret word", "key", "pre-shared key", "shared key", "psk", "wifi key")
    opens: Phrases = ("wifi", "wi-fi", "wlan", "ssid", "network", "router", "vpn", "zip", "archive", "vault", "safe")
    codes: Phrases = ("code", "codes", "pin", "otp", "cvv", "cvc")
    coded: Phrases = (
        *("sms", "verification", "confirmation", "one-time", "two-step", "backup codes", "recovery", "emergency"),
        *("door", "alarm", "gate", "safe", "card", "cvv"),
    )
    changes: Phrases = ("changed to", "changed it to", "reset to", "set to", "replaced by", "it is now")
    enters: Phrases = ("type", "opens with", "enter with", "sign in with", "log in with", "to enter", "to get in")
    tries: Phrases = ("tried", "typed", "wrote", "entered", "rejected", "screenshot")
    thus: Phrases = ("i.e.", "that is", "namely", "so")
    same: Phrases = ("as before", "the same", "same as", "as usual", "unchanged")
    old: Phrases = ("the old one", "old one", "the previous one")
    ways: Phrases = ("sign in", "log in", "login", "enter", "get in", "access", "account", "root", "admin", "hosting")
    mine: Phrases = ("my", "our", "his", "her", "their")
    ends: Phrases = ("and", "but", "or", "so", "because", "thanks", "please")


class Masks(Part):
    """What stands in a text in a secret's place."""

    password: Words = "[removed: password]"  # noqa: S105 (a mask)
    private_key: Words = "[removed: private key]"
    token: Words = "[removed: access token]"  # noqa: S105 (a mask)
    licence_key: Words = "[removed: licence key …{{ last4 }}]"


class PastedSecrets(Part):
    """How secrets in texts and small files are recognised and what becomes of them.

    Attributes:
        cues: the words.
        masks: what is shown in a secret's place.
        told: what its writer is told once.
        warning: what a form says before a text is sent.
        file_advice: what the sender of a file that holds a secret is told.
        keep_days: so many days the original is kept, sealed, for a specialist's decision.

    """

    cues: Cues = Cues()
    masks: Masks = Masks()
    told: Words = (
        "Your text held what looks like a password or a key. It was taken out before anybody could read it. Give"
        " access data only in the form that the request opens for it, and change what you have sent."
    )
    warning: Words = "This looks like a password or a key. Leave it out: access data has a form of its own."
    file_advice: Words = "The file holds what looks like a password or a key, so it is held back."
    keep_days: PositiveInt = 7
