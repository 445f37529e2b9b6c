"""A service between carriers and VTEX: carriers' webhooks and VTEX's hook come in, tracking goes out.

Needs the extra ``service``. :func:`.app.create_app` returns the ASGI application, and ``vtex-tracking serve`` runs it.
"""

from __future__ import annotations

from vtex_tracking_ext.config.webhooks import WebhookCheck

from .bridge import Bridge
from .intake import ServedAccount
from .limits import Limits

__all__ = ["Bridge", "Limits", "ServedAccount", "WebhookCheck"]
