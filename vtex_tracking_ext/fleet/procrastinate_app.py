"""The app for Procrastinate's own command line, to inspect and repair the tasks of the journal.

::

    export VTEX_JOURNAL=postgresql://user@host/database
    procrastinate --app=vtex_tracking_ext.fleet.procrastinate_app.app shell

It does not process tasks: ``vtex-tracking worker`` does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from vtex_tracking_ext.bulk.journal.postgres.address import parse_url
from vtex_tracking_ext.errors import ConfigurationError

from .task import make_app

if TYPE_CHECKING:
    from procrastinate import App


async def _refuse(_: str) -> NoReturn:
    raise ConfigurationError("Procrastinate's own worker cannot process these tasks: use vtex-tracking worker.")


def _app() -> App:
    where = os.environ.get("VTEX_JOURNAL")
    if not where:
        raise ConfigurationError("VTEX_JOURNAL is not set: it names the journal, postgresql://USER@HOST/DATABASE.")
    return make_app(parse_url(where), _refuse)


app = _app()
