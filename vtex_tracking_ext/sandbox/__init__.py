"""A stand-in for VTEX's OMS on loopback, with a page to look at.

It behaves as VTEX's documentation, its known issues and public integrations say; what nobody has written down
is marked as a guess where it is decided. It imports nothing of the client but openapi.yaml's constants, so
that the two can be held against each other.
"""

from .examples import EXAMPLE_FILE, with_examples
from .keys import (
    APP_KEY,
    APP_TOKEN,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    USER_TOKEN,
    WRITE_ONLY_APP_KEY,
    WRITE_ONLY_APP_TOKEN,
)
from .oms import Oms, OmsError, OmsSettings, ReceivedRequest
from .server import running, serve

__all__ = [
    "APP_KEY",
    "APP_TOKEN",
    "EXAMPLE_FILE",
    "READ_ONLY_APP_KEY",
    "READ_ONLY_APP_TOKEN",
    "USER_TOKEN",
    "WRITE_ONLY_APP_KEY",
    "WRITE_ONLY_APP_TOKEN",
    "Oms",
    "OmsError",
    "OmsSettings",
    "ReceivedRequest",
    "running",
    "serve",
    "with_examples",
]
