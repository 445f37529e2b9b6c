"""Defaults and limits that the library and the command line share. Imports only typing, so that --help stays quick."""

from typing import Final

#: Seconds that one call may take, all attempts and pauses included.
DEFAULT_TIMEOUT: Final = 120.0

#: Connections that one client opens at once at most.
MAX_CONNECTIONS: Final = 100

#: Calls a second to one account at most. VTEX publishes no limit for this call; for reading an order it says 6000 a
#: minute per account. This is a quarter of that: the rest is for the merchant's other systems, which share the quota,
#: and whose Admin stops working when it is used up.
DEFAULT_RATE: Final = 25.0

#: Calls a second to one account at most for reading orders, the feed and the list of orders. It is low, because the
#: quota is shared with tracking updates, which other processes may send at the same time.
DEFAULT_READ_RATE: Final = 5.0

#: Events of one package that are sent in one call at most. VTEX names no limit; this keeps a refusal small.
EVENTS_PER_CALL: Final = 20

#: Packages of one account that a push sends at once. The account's limit is shared with the merchant.
DEFAULT_CONCURRENCY: Final = 8

#: Packages of one account that can be sent at once at most: each needs a connection of the client, and a thread.
MAX_CONCURRENCY: Final = MAX_CONNECTIONS

#: Packages that a worker sends at once, all accounts together.
WORKER_CONCURRENCY: Final = 16

#: Seconds after its call after which a worker sends an event of unknown outcome again that its order does not show.
WORKER_RESEND_AFTER: Final = 3600.0

#: The states of a journal entry.
STATES: Final = ("pending", "in_flight", "applied", "refused", "unknown", "withdrawn")
