"""OpenDKIM's library as a second judge of signatures: written in C by other people, as many receivers run it."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from pathlib import Path

# From its opendkim/dkim.h.
_OK, _SET, _QUERY_METHOD, _QUERY_INFO, _FROM_A_FILE, _PASSED, _BODY_MATCHES = 0, 1, 6, 7, 1, 4, 0


class OpenDkim:
    """Verifies against records (`selector._domainkey.domain`: TXT) that are written to a file; no name server is asked.

    Raises OSError where Debian's libopendkim11 is not installed.
    """

    def __init__(self, records: Mapping[str, str], folder: Path) -> None:
        self.library = library = ctypes.CDLL("libopendkim.so.11")
        library.dkim_init.restype = library.dkim_verify.restype = c_void_p
        library.dkim_verify.argtypes = [c_void_p, c_char_p, c_void_p, POINTER(c_int)]
        library.dkim_options.argtypes = [c_void_p, c_int, c_int, c_void_p, c_size_t]
        library.dkim_chunk.argtypes = [c_void_p, c_char_p, c_size_t]
        library.dkim_getsiglist.argtypes = [c_void_p, POINTER(POINTER(c_void_p)), POINTER(c_int)]
        library.dkim_sig_process.argtypes = [c_void_p, c_void_p]
        library.dkim_sig_getselector.restype, library.dkim_sig_getselector.argtypes = c_char_p, [c_void_p]
        library.dkim_sig_getflags.restype = c_uint
        for name in ("dkim_eom", "dkim_free", "dkim_sig_getflags", "dkim_sig_getbh"):
            getattr(library, name).argtypes = [c_void_p, c_void_p] if name == "dkim_eom" else [c_void_p]
        self.session = library.dkim_init(None, None)
        file = folder / "records"
        file.write_text("".join(f"{name} {record}\n" for name, record in records.items()), encoding="ascii")
        path, method = ctypes.create_string_buffer(str(file).encode()), c_int(_FROM_A_FILE)
        self._set(_QUERY_METHOD, byref(method), ctypes.sizeof(method))
        self._set(_QUERY_INFO, path, len(str(file)) + 1)

    def _set(self, option: int, value: object, size: int) -> None:
        assert self.library.dkim_options(self.session, _SET, option, value, size) == _OK

    def verdicts(self, message: bytes) -> dict[str, bool]:
        """By selector, whether that signature holds for the headers and for the body."""
        library, status = self.library, c_int()
        handle = library.dkim_verify(self.session, b"test", None, byref(status))
        assert handle
        try:
            library.dkim_chunk(handle, message, len(message))
            library.dkim_chunk(handle, None, 0)
            library.dkim_eom(handle, None)
            found, count = POINTER(c_void_p)(), c_int()
            library.dkim_getsiglist(handle, byref(found), byref(count))
            return {self._selector(found[n]): self._holds(handle, found[n]) for n in range(count.value)}
        finally:
            library.dkim_free(handle)

    def _selector(self, signature: int | None) -> str:
        return str(self.library.dkim_sig_getselector(signature).decode())

    def _holds(self, handle: int, signature: int | None) -> bool:
        self.library.dkim_sig_process(handle, signature)
        passed = self.library.dkim_sig_getflags(signature) & _PASSED
        return bool(passed) and self.library.dkim_sig_getbh(signature) == _BODY_MATCHES
