"""Validates request bodies and queries as strictly as openapi.yaml describes them. Pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from vtex_oms_client import constants

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadBody(ValueError):  # noqa: N818 - the sender's error, not ours
    """A request body or query is invalid; the text says why."""


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        BadBody: It is not valid JSON, or not an object.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_reject_constant)
        json.dumps(document, ensure_ascii=False).encode("utf-8")  # raises for a lone surrogate
    except (ValueError, RecursionError):
        raise BadBody("The body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BadBody("The body is not a JSON object.")
    return document


def _reject_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")


def check_tracking(body: dict[str, Any]) -> None:
    """Check the body of updateTrackingStatus.

    Raises:
        BadBody: A field is missing, unknown, of a wrong type or beyond a limit.
    """
    _check_fields("", body, {"isDelivered": bool, "deliveredDate": (str, type(None)), "events": list})
    if body["deliveredDate"] is not None:
        _check_date(
            "deliveredDate", body["deliveredDate"], constants.UPDATE_TRACKING_STATUS_REQUEST_DELIVERED_DATE_PATTERN
        )
    for index, event in enumerate(body["events"]):
        place = f"events[{index}]"
        if not isinstance(event, dict):
            raise BadBody(f"{place} is not an object.")
        _check_fields(f"{place}.", event, {"city": str, "state": str, "description": str, "date": str})
        _check_date(f"{place}.date", event["date"], constants.EVENT_DATE_PATTERN)
        length = len(event["description"])
        if not constants.EVENT_DESCRIPTION_MIN_LENGTH <= length <= constants.EVENT_DESCRIPTION_MAX_LENGTH:
            raise BadBody(f"{place}.description has {length} characters.")


def check_tracking_number(body: dict[str, Any]) -> None:
    """Check the body of sendTrackingNumber.

    Raises:
        BadBody: A field is missing, unknown or of a wrong type, or the tracking number is empty.
    """
    text = (str, type(None))
    _check_fields("", body, {"trackingNumber": str, "trackingUrl": text, "dispatchedDate": text, "courier": text})
    if len(body["trackingNumber"]) < constants.SEND_TRACKING_NUMBER_REQUEST_TRACKING_NUMBER_MIN_LENGTH:
        raise BadBody("trackingNumber is empty.")


def check_commit(body: dict[str, Any]) -> None:
    """Check the body of commitFeed.

    Raises:
        BadBody: It is not a list of handles.
    """
    _check_fields("", body, {"handles": list})
    _check_texts("handles", body["handles"])


def check_feed_configuration(body: dict[str, Any]) -> None:
    """Check the body of configureFeed.

    Raises:
        BadBody: A field is missing, unknown, of a wrong type or beyond a limit.
    """
    _check_fields("", body, {"filter": dict, "queue": dict})
    _check_fields("filter.", body["filter"], {"type": str, "status": list})
    if body["filter"]["type"] != "FromWorkflow":
        raise BadBody("filter.type is unknown.")
    _check_texts("filter.status", body["filter"]["status"])
    queue = body["queue"]
    _check_fields("queue.", queue, {"visibilityTimeoutInSeconds": int, "MessageRetentionPeriodInSeconds": int})
    _check_range("visibilityTimeoutInSeconds", queue["visibilityTimeoutInSeconds"], 1)
    _check_range(
        "MessageRetentionPeriodInSeconds",
        queue["MessageRetentionPeriodInSeconds"],
        constants.REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MINIMUM,
        constants.REQUESTED_QUEUE_MESSAGE_RETENTION_PERIOD_IN_SECONDS_MAXIMUM,
    )


def check_feed_query(query: Mapping[str, str]) -> int:
    """Return the number of items that a query of readFeed asks for.

    Raises:
        BadBody: It is missing, or out of range.
    """
    return _check_number("maxlot", query.get("maxlot", ""), constants.MAXLOT_MAXIMUM)


def check_list_query(query: Mapping[str, str]) -> None:
    """Check a query of listOrders.

    Raises:
        BadBody: A value is out of range or of another form. VTEX documents the limit of 30 pages, but not its answer to
            more; public integrations saw 400 and this text.
    """
    if "per_page" in query:
        _check_number("per_page", query["per_page"], constants.PER_PAGE_MAXIMUM)
    if "page" in query and _check_number("page", query["page"]) > constants.PAGE_MAXIMUM:
        raise BadBody("Max page exceed")
    patterns = {
        "orderBy": constants.ORDER_BY_PATTERN,
        "f_invoicedDate": constants.F_INVOICED_DATE_PATTERN,
        "f_status": constants.F_STATUS_PATTERN,
    }
    for name, pattern in patterns.items():
        if name in query and not re.fullmatch(pattern, query[name]):
            raise BadBody(f"{name} is invalid.")


def _check_number(place: str, text: str, most: int | None = None) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise BadBody(f"{place} is not a number.")
    _check_range(place, int(text), 1, most)
    return int(text)


def _check_range(place: str, number: int, least: int, most: int | None = None) -> None:
    if number < least or (most is not None and number > most):
        raise BadBody(f"{place} is out of range.")


def _check_texts(place: str, values: list[Any]) -> None:
    if not values or not all(isinstance(value, str) and value for value in values):
        raise BadBody(f"{place} is not a list of texts.")


def _check_fields(prefix: str, value: dict[str, Any], fields: dict[str, type | tuple[type, ...]]) -> None:
    for name in value.keys() - fields.keys():
        raise BadBody(f"{prefix}{name} is unknown.")
    for name, kind in fields.items():
        if name not in value:
            raise BadBody(f"{prefix}{name} is missing.")
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            raise BadBody(f"{prefix}{name} has the wrong type.")


def _check_date(place: str, text: str, pattern: str) -> None:
    try:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)  # noqa: TRY301 - one message for both
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadBody(f"{place} is not a date.") from None
