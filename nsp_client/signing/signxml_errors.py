"""What can come out of signxml when a signature is wrong or malformed.

Besides its own errors it lets through those of the libraries below, and of
values it did not find (an empty ``DigestValue`` is a ``TypeError``). To a caller
of ours all of them mean the same: the signature does not hold.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.exceptions import SignXMLException

SIGNXML_ERRORS: Final[tuple[type[Exception], ...]] = (
    SignXMLException,
    etree.LxmlError,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)
