"""Validates request bodies as strictly as openapi.yaml describes them. Pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any, NoReturn

from vtex_oms_client import constants


class BadBody(ValueError):  # noqa: N818 - the sender's error, not ours
    """A request body is invalid; the text says why."""


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


def _check_fields(prefix: str, value: dict[str, Any], fields: dict[str, type | tuple[type, ...]]) -> None:
    for name in value.keys() - fields.keys():
        raise BadBody(f"{prefix}{name} is unknown.")
    for name, kind in fields.items():
        if name not in value:
            raise BadBody(f"{prefix}{name} is missing.")
        if not isinstance(value[name], kind):
            raise BadBody(f"{prefix}{name} has the wrong type.")


def _check_date(place: str, text: str, pattern: str) -> None:
    try:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)  # noqa: TRY301 - one message for both
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadBody(f"{place} is not a date.") from None
