from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.receipt import Receipt
from ...models.send_tracking_number_request import SendTrackingNumberRequest
from ...types import Response


def _get_kwargs(
    order_id: str,
    invoice_number: str,
    *,
    body: SendTrackingNumberRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "patch",
        "url": "/api/oms/pvt/orders/{order_id}/invoice/{invoice_number}".format(
            order_id=quote(str(order_id), safe=""),
            invoice_number=quote(str(invoice_number), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | Receipt | None:
    if response.status_code == 200:
        response_200 = Receipt.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = cast(Any, None)
        return response_400

    if response.status_code == 401:
        response_401 = cast(Any, None)
        return response_401

    if response.status_code == 403:
        response_403 = cast(Any, None)
        return response_403

    if response.status_code == 404:
        response_404 = cast(Any, None)
        return response_404

    if response.status_code == 409:
        response_409 = cast(Any, None)
        return response_409

    if response.status_code == 429:
        response_429 = cast(Any, None)
        return response_429

    if response.status_code == 500:
        response_500 = cast(Any, None)
        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | Receipt]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    order_id: str,
    invoice_number: str,
    *,
    client: AuthenticatedClient | Client,
    body: SendTrackingNumberRequest,
) -> Response[Any | Receipt]:
    """Register the tracking number of a package

     Replaces what stood there. A blank tracking number would erase the one the shopper has.

    Args:
        order_id (str):  Example: 1172452900788-01.
        invoice_number (str):  Example: 000030711.
        body (SendTrackingNumberRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Receipt]
    """

    kwargs = _get_kwargs(
        order_id=order_id,
        invoice_number=invoice_number,
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    order_id: str,
    invoice_number: str,
    *,
    client: AuthenticatedClient | Client,
    body: SendTrackingNumberRequest,
) -> Any | Receipt | None:
    """Register the tracking number of a package

     Replaces what stood there. A blank tracking number would erase the one the shopper has.

    Args:
        order_id (str):  Example: 1172452900788-01.
        invoice_number (str):  Example: 000030711.
        body (SendTrackingNumberRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Receipt
    """

    return sync_detailed(
        order_id=order_id,
        invoice_number=invoice_number,
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    order_id: str,
    invoice_number: str,
    *,
    client: AuthenticatedClient | Client,
    body: SendTrackingNumberRequest,
) -> Response[Any | Receipt]:
    """Register the tracking number of a package

     Replaces what stood there. A blank tracking number would erase the one the shopper has.

    Args:
        order_id (str):  Example: 1172452900788-01.
        invoice_number (str):  Example: 000030711.
        body (SendTrackingNumberRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Receipt]
    """

    kwargs = _get_kwargs(
        order_id=order_id,
        invoice_number=invoice_number,
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    order_id: str,
    invoice_number: str,
    *,
    client: AuthenticatedClient | Client,
    body: SendTrackingNumberRequest,
) -> Any | Receipt | None:
    """Register the tracking number of a package

     Replaces what stood there. A blank tracking number would erase the one the shopper has.

    Args:
        order_id (str):  Example: 1172452900788-01.
        invoice_number (str):  Example: 000030711.
        body (SendTrackingNumberRequest):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Receipt
    """

    return (
        await asyncio_detailed(
            order_id=order_id,
            invoice_number=invoice_number,
            client=client,
            body=body,
        )
    ).parsed
