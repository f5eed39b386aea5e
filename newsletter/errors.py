"""The family of everything that can go wrong in a way a person must hear about."""

from __future__ import annotations


class SuppleError(Exception):
    """A failure that can say what happened, what it means and what to do; `status` is its HTTP status."""

    status = 500
    title = "Something went wrong on our side"

    def __init__(self, happened: str, *, means: str = "", remedy: str = "") -> None:
        super().__init__(happened)
        self.happened = happened
        self.means = means
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(part for part in (self.happened, self.means, self.remedy) if part)


class SettingError(SuppleError):
    """A setting holds nonsense; the program refuses to start."""


class InputError(SuppleError):
    """What a person typed or sent cannot be used; nothing was changed."""

    status = 400
    title = "That did not work"


class NotFound(SuppleError):
    """The thing asked for does not exist (or not any more)."""

    status = 404
    title = "We could not find that"


class Refused(SuppleError):
    """The person may not do this."""

    status = 403
    title = "You cannot do that here"


class TooMany(SuppleError):
    """A public door's limit was reached."""

    status = 429
    title = "A moment, please"


class Busy(SuppleError):
    """The database or a part of the program is not to be had right now; the same request may work later."""

    status = 503
    title = "One moment, please"


class TokenError(SuppleError):
    """A link's token cannot be used."""

    status = 410
    title = "This link does not work any more"


class InvalidToken(TokenError):
    """A token that this installation did not make, made for another purpose, or damaged on its way."""

    def __init__(self) -> None:
        super().__init__(
            "This link is incomplete or was changed on its way.",
            means="Some mail programs break long links over two lines.",
            remedy="Copy the whole link from the email, or ask for a new one.",
        )


class ExpiredToken(TokenError):
    """A genuine token whose time is over; `ids` are still known, so that a fresh one can be offered."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        super().__init__("This link has expired.", remedy="Ask for a new one; it takes one press.")
        self.ids = ids


class SourceError(SuppleError):
    """An email's source (front matter, Markdown, Jinja2) cannot be understood."""

    status = 400
    title = "The email could not be read"


class RenderError(SuppleError):
    """An email's template failed for one reader."""

    status = 400
    title = "The email could not be made"


class MagnetError(SuppleError):
    """A gift cannot be made or taken in: it does not fit, is too big, or is not what it claims to be."""

    status = 400
    title = "The PDF could not be made"


class RelayError(SuppleError):
    """The mail relay cannot be used at all (unreachable, TLS, sign-in, policy); no recipient is to blame."""

    title = "The mail server cannot be used"


class Unsealable(SuppleError):
    """A password that was kept encrypted cannot be read any more."""

    title = "A kept password cannot be read"

    def __init__(self) -> None:
        super().__init__(
            "A password that is kept here cannot be read any more.",
            means="It was sealed with another SECRET_KEY.",
            remedy="Type it again, or bring the old SECRET_KEY back.",
        )


class ClockError(SuppleError):
    """The clock jumped; sending now might mean sending late or twice."""
