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
