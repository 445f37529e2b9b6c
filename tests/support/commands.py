"""The result of a command."""

from attrs import frozen


@frozen
class Ran:
    """Exit status and output of one command."""

    status: int
    out: str
    err: str
