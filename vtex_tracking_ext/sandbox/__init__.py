"""A local server that behaves like VTEX's OMS, with a web page.

It follows VTEX's documentation, its known issues and public integrations; undocumented behaviour is marked as a guess
in the code. It imports nothing of the client except openapi.yaml's constants, so that tests can compare the two.
"""

from .examples import EXAMPLE_FILE, with_examples
from .faults import Fault, Faults, parse_fault
from .hook import configure_hook, notification, notify
from .keys import (
    APP_KEY,
    APP_TOKEN,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    USER_TOKEN,
    WRITE_ONLY_APP_KEY,
    WRITE_ONLY_APP_TOKEN,
    client_environment,
)
from .oms import Oms, OmsError, OmsSettings
from .received import ReceivedRequest
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
    "Fault",
    "Faults",
    "Oms",
    "OmsError",
    "OmsSettings",
    "ReceivedRequest",
    "client_environment",
    "configure_hook",
    "notification",
    "notify",
    "parse_fault",
    "running",
    "serve",
    "with_examples",
]
