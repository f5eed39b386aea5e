"""The reader's first name on the finished page: real, tagged text in the place that the sheet keeps free."""

from __future__ import annotations

import io
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pikepdf
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, String

FONTS = Path(__file__).resolve().parent.parent.parent / "static" / "vendor" / "fonts" / "fraunces"
# In the order they are tried for each sign; together they hold the Latin alphabets of Europe and their neighbours.
ALPHABETS = ("latin", "latin-ext")
SIZE = 13.0  # pt
# The place, from the top right corner of the page: the sheet's margins, and the line of the studio's name.
RIGHT, BASELINE = 39.7, 42.5  # pt, that is 14 mm and 15 mm
WIDEST = 200.0  # pt; a name that is longer would run into the studio's
INK = "0.176 0.251 0.204"  # the style sheet's dark sage


@dataclass(frozen=True, eq=False)  # one object per file: it is its own key
class Face:
    """One font file, ready to be embedded: widths in thousandths of the type size, by glyph."""

    name: str
    packed: bytes
    length: int
    glyphs: dict[int, int]
    widths: dict[int, int]
    box: tuple[int, int, int, int]
    ascent: int
    descent: int
    cap_height: int


@dataclass(frozen=True)
class Run:
    """Signs in a row that are set in one face."""

    face: Face
    text: str

    @property
    def width(self) -> float:
        """How long it is on the page, in points."""
        return sum(self.face.widths[self.face.glyphs[ord(sign)]] for sign in self.text) * SIZE / 1000


@lru_cache(maxsize=len(ALPHABETS))
def _face(alphabet: str) -> Face:
    font = TTFont(FONTS / f"fraunces-{alphabet}-600-normal.woff2")
    font.flavor = None
    out = io.BytesIO()
    font.save(out)
    by, head, os2 = 1000 / font["head"].unitsPerEm, font["head"], font["OS/2"]
    order = {name: number for number, name in enumerate(font.getGlyphOrder())}
    return Face(
        name=f"Fraunces-SemiBold-{alphabet.title()}",
        packed=zlib.compress(out.getvalue(), 9),
        length=len(out.getvalue()),
        glyphs={code: order[name] for code, name in font.getBestCmap().items()},
        widths={order[name]: round(advance * by) for name, (advance, _) in font["hmtx"].metrics.items()},
        box=(round(head.xMin * by), round(head.yMin * by), round(head.xMax * by), round(head.yMax * by)),
        ascent=round(os2.sTypoAscender * by),
        descent=round(os2.sTypoDescender * by),
        cap_height=round(os2.sCapHeight * by),
    )


def runs(text: str) -> list[Run]:
    """The text cut into faces; empty when a sign is in none of them."""
    found: list[Run] = []
    for sign in text:
        face = next((face for face in map(_face, ALPHABETS) if ord(sign) in face.glyphs), None)
        if face is None:
            return []
        if found and found[-1].face is face:
            found[-1] = Run(face, found[-1].text + sign)
        else:
            found.append(Run(face, sign))
    return found


def words(first_name: str) -> list[Run]:
    """What is stamped for a person of that name; empty when there is no name, or none that we can set."""
    name = unicodedata.normalize("NFC", " ".join(first_name.split()))
    found = runs(f"For {name}") if name else []
    return found if sum(run.width for run in found) <= WIDEST else []


def stamp(pdf: bytes, first_name: str) -> bytes:
    """The page with “For NAME” on it; the very same bytes when the name is empty or not in our alphabets.

    The same page and name always give the same bytes, so that a download can be continued where it broke off.
    """
    line = words(first_name)
    if not line:
        return pdf
    with pikepdf.open(io.BytesIO(pdf)) as document:
        page = document.pages[0]
        mark = _tag(document, page)
        fonts = {run.face: document.make_indirect(_font(document, run.face, line)) for run in line}
        # The page's own content leaves its scale and colours behind; ours wants the plain points of the paper.
        page.contents_add(b"q\n", prepend=True)
        page.contents_add(b"Q\n" + _content(page, line, fonts, mark))
        out = io.BytesIO()
        document.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.preserve)
    return out.getvalue()


def _content(page: pikepdf.Page, line: list[Run], fonts: Mapping[Face, pikepdf.Object], mark: int | None) -> bytes:
    width = sum(run.width for run in line)
    x, y = float(page.mediabox[2]) - RIGHT - width, float(page.mediabox[3]) - BASELINE
    shown = []
    for run in line:
        name = page.add_resource(fonts[run.face], Name.Font, name=Name(f"/{run.face.name}"))
        signs = "".join(f"{run.face.glyphs[ord(sign)]:04X}" for sign in run.text)
        shown.append(f"{name} {SIZE:g} Tf <{signs}> Tj")
    opened = "/Artifact BMC" if mark is None else f"/P <</MCID {mark}>> BDC"
    text = f"q {INK} rg BT {x:.2f} {y:.2f} Td {' '.join(shown)} ET Q"
    return f"{opened} {text} EMC\n".encode()


def _tag(document: pikepdf.Pdf, page: pikepdf.Page) -> int | None:
    """Give the line its place in the structure, first of all on the page, so that a screen reader says it
    (PDF/UA-1, clause 7.1).

    Returns its mark, or None when the page has no structure to be in.
    """
    root = document.Root.get(Name.StructTreeRoot)
    key = page.obj.get(Name.StructParents)
    if root is None or key is None:
        return None
    numbers = root.ParentTree.Nums
    marks = next((numbers[at + 1] for at in range(0, len(numbers), 2) if numbers[at] == key), None)
    if marks is None:
        return None
    whole = root.K[0]
    mark = len(marks)
    element = Dictionary(Type=Name.StructElem, S=Name.P, P=whole, Pg=page.obj, K=Array([mark]))
    paragraph = document.make_indirect(element)
    whole.K.insert(0, paragraph)
    marks.append(paragraph)
    return mark


def _font(document: pikepdf.Pdf, face: Face, line: list[Run]) -> Dictionary:
    """The embedded font as PDF wants it: glyph numbers as codes, and what they mean for search and copying."""
    used = sorted({(face.glyphs[ord(sign)], sign) for run in line if run.face is face for sign in run.text})
    file = document.make_stream(face.packed, {"/Filter": Name.FlateDecode, "/Length1": face.length})
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(f"/{face.name}"),
        Flags=4,
        FontBBox=Array(list(face.box)),
        ItalicAngle=0,
        Ascent=face.ascent,
        Descent=face.descent,
        CapHeight=face.cap_height,
        StemV=120,
        FontFile2=file,
    )
    widths = [part for glyph, _ in used for part in (glyph, Array([face.widths[glyph]]))]
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(f"/{face.name}"),
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
        FontDescriptor=document.make_indirect(descriptor),
        W=Array(widths),
        CIDToGIDMap=Name.Identity,
    )
    return Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=Name(f"/{face.name}"),
        Encoding=Name("/Identity-H"),
        DescendantFonts=Array([document.make_indirect(descendant)]),
        ToUnicode=document.make_stream(_meanings(used)),
    )


def _meanings(used: list[tuple[int, str]]) -> bytes:
    pairs = "\n".join(f"<{glyph:04X}> <{sign.encode('utf-16-be').hex().upper()}>" for glyph, sign in used)
    return f"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{len(used)} beginbfchar
{pairs}
endbfchar
endcmap CMapName currentdict /CMap defineresource pop end end""".encode()
