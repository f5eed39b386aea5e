"""A PDF from an operator's computer: believed by its content, never by its name."""

from __future__ import annotations

import io

import pikepdf
import pypdfium2
from pikepdf import Name

from newsletter.errors import MagnetError
from newsletter.magnets.rules import LARGEST_UPLOAD

# Actions that run something or send something on the reader's computer (ISO 32000-2, table 201).
ACTING = frozenset({"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Rendition"})
MOST_OBJECTS = 500_000
DEEPEST = 40  # objects written one inside the other
PREVIEW_WIDTH = 900  # pixels
MOST_PREVIEW_HEIGHT = 4000


def checked(content: bytes) -> int:
    """How many pages an uploaded PDF has; raises MagnetError, in an operator's words, when we will not pass it on."""
    if not content:
        raise MagnetError("No file arrived.", remedy="Choose a PDF and press the button again.")
    if len(content) > LARGEST_UPLOAD:
        raise MagnetError(
            f"The file has {len(content) / 1024 / 1024:.0f} MB.",
            means=f"A gift may have {LARGEST_UPLOAD // 1024 // 1024} MB; more takes too long on a phone.",
            remedy="Save it with smaller pictures.",
        )
    if b"%PDF-" not in content[:1024]:
        raise MagnetError("This file is not a PDF.", means="Its name may say so, its content does not.")
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            return _checked(document)
    except pikepdf.PasswordError:
        raise _locked() from None
    except pikepdf.PdfError as problem:
        raise MagnetError(
            "This PDF is damaged.", means=str(problem), remedy="Open it, save it anew, and upload that."
        ) from problem


def _locked() -> MagnetError:
    return MagnetError(
        "This PDF is locked with a password.",
        means="Readers could not open it, or not print it.",
        remedy="Save it without a password and upload that.",
    )


def _checked(document: pikepdf.Pdf) -> int:
    if document.is_encrypted:
        raise _locked()
    if not len(document.pages):
        raise MagnetError("This PDF has no pages.")
    if len(document.objects) > MOST_OBJECTS or any(_acts(thing) for thing in document.objects):
        raise MagnetError(
            "This PDF runs scripts or opens other programs.",
            means="Mail programs block such files, and readers are right to distrust them.",
            remedy="Export it as a plain PDF (“Print to PDF” does) and upload that.",
        )
    return len(document.pages)


def _acts(thing: pikepdf.Object, depth: int = 0) -> bool:
    """Whether an object, or one written inside it, is such an action; what it refers to is checked by itself."""
    if not isinstance(thing, pikepdf.Object):
        return False
    if depth > DEEPEST:
        return True  # nothing that is printed is nested like this, but something that hides may be
    if isinstance(thing, (pikepdf.Dictionary, pikepdf.Stream)):
        if Name.JS in thing or Name.JavaScript in thing or str(thing.get(Name.S, "")) in ACTING:
            return True
        return any(_acts(part, depth + 1) for part in _parts(thing))
    if isinstance(thing, pikepdf.Array):
        return any(_acts(part, depth + 1) for part in thing if _is_direct(part))
    return False


def _parts(thing: pikepdf.Dictionary | pikepdf.Stream) -> list[pikepdf.Object]:
    return [thing[key] for key in thing.keys() if _is_direct(thing[key])]  # noqa: SIM118 - a pikepdf stream has no iter


def _is_direct(part: object) -> bool:
    return isinstance(part, pikepdf.Object) and not part.is_indirect


def preview(pdf: bytes) -> bytes:
    """The first page as PNG."""
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        scale = min(PREVIEW_WIDTH / page.get_width(), MOST_PREVIEW_HEIGHT / page.get_height())
        image = page.render(scale=scale).to_pil()
    out = io.BytesIO()
    image.convert("P", palette=1, colors=128).save(out, "PNG", optimize=True)
    return out.getvalue()
