"""HTML to PDF, through WeasyPrint, which is an optional extra of the package. Loads nothing from anywhere."""

from __future__ import annotations

from typing import Any

from ventoy_kit.errors import MachineError


class NoPdfError(Exception):
    """What makes PDF files is not installed; the message names what is missing."""


class _ClosedDoor:
    """WeasyPrint asks this for every style, picture and font that a page names: the kit's pages name none."""

    def __call__(self, url: str, *_: Any, **__: Any) -> Any:
        raise ValueError(f"{url} is not part of the page")


def html_to_pdf(text: str) -> bytes:
    """A PDF file of a page that needs nothing besides itself.

    Raises:
        NoPdfError: WeasyPrint, or the library Pango that it draws text with, is missing.
        MachineError: WeasyPrint failed.
    """
    try:
        import weasyprint
    except ImportError as error:
        raise NoPdfError(f"the Python package {error.name or 'weasyprint'} is not installed") from error
    except OSError as error:  # cffi: the shared library
        raise NoPdfError(f"WeasyPrint does not find its libraries: {str(error).splitlines()[0]}") from error
    try:
        page = weasyprint.HTML(string=text, url_fetcher=_ClosedDoor())
        data = page.write_pdf(uncompressed_pdf=False, pdf_tags=True)
    except Exception as error:
        raise MachineError(
            f"WeasyPrint could not make the PDF: {error}", "Make HTML, and print it."
        ) from error
    if not isinstance(data, bytes):
        raise MachineError("WeasyPrint gave no PDF", "Make HTML, and print it.")
    return data
