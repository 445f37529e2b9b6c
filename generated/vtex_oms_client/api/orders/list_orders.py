from http import HTTPStatus
from typing import Any, cast

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.order_list import OrderList
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    order_by: str | Unset = UNSET,
    f_invoiced_date: str | Unset = UNSET,
    f_status: str | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["page"] = page

    params["per_page"] = per_page

    params["orderBy"] = order_by

    params["f_invoicedDate"] = f_invoiced_date

    params["f_status"] = f_status

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/oms/pvt/orders",
        "params": params,
    }

    return _kwargs


def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | OrderList | None:
    if response.status_code == 200:
        response_200 = OrderList.from_dict(response.json())

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | OrderList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    order_by: str | Unset = UNSET,
    f_invoiced_date: str | Unset = UNSET,
    f_status: str | Unset = UNSET,
) -> Response[Any | OrderList]:
    """List orders, one page

     Shows an order some minutes after its change, and at most 30 pages of 100 orders: narrow the filters
    where there are more. VTEX advises against it for integrations; the feed has every change.

    Args:
        page (int | Unset):
        per_page (int | Unset):
        order_by (str | Unset):  Example: creationDate,asc.
        f_invoiced_date (str | Unset):  Example: invoicedDate:[2022-01-01T02:00:00.000Z TO
            2022-01-02T01:59:59.999Z].
        f_status (str | Unset):  Example: invoiced.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderList]
    """

    kwargs = _get_kwargs(
        page=page,
        per_page=per_page,
        order_by=order_by,
        f_invoiced_date=f_invoiced_date,
        f_status=f_status,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    order_by: str | Unset = UNSET,
    f_invoiced_date: str | Unset = UNSET,
    f_status: str | Unset = UNSET,
) -> Any | OrderList | None:
    """List orders, one page

     Shows an order some minutes after its change, and at most 30 pages of 100 orders: narrow the filters
    where there are more. VTEX advises against it for integrations; the feed has every change.

    Args:
        page (int | Unset):
        per_page (int | Unset):
        order_by (str | Unset):  Example: creationDate,asc.
        f_invoiced_date (str | Unset):  Example: invoicedDate:[2022-01-01T02:00:00.000Z TO
            2022-01-02T01:59:59.999Z].
        f_status (str | Unset):  Example: invoiced.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderList
    """

    return sync_detailed(
        client=client,
        page=page,
        per_page=per_page,
        order_by=order_by,
        f_invoiced_date=f_invoiced_date,
        f_status=f_status,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    order_by: str | Unset = UNSET,
    f_invoiced_date: str | Unset = UNSET,
    f_status: str | Unset = UNSET,
) -> Response[Any | OrderList]:
    """List orders, one page

     Shows an order some minutes after its change, and at most 30 pages of 100 orders: narrow the filters
    where there are more. VTEX advises against it for integrations; the feed has every change.

    Args:
        page (int | Unset):
        per_page (int | Unset):
        order_by (str | Unset):  Example: creationDate,asc.
        f_invoiced_date (str | Unset):  Example: invoicedDate:[2022-01-01T02:00:00.000Z TO
            2022-01-02T01:59:59.999Z].
        f_status (str | Unset):  Example: invoiced.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | OrderList]
    """

    kwargs = _get_kwargs(
        page=page,
        per_page=per_page,
        order_by=order_by,
        f_invoiced_date=f_invoiced_date,
        f_status=f_status,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    order_by: str | Unset = UNSET,
    f_invoiced_date: str | Unset = UNSET,
    f_status: str | Unset = UNSET,
) -> Any | OrderList | None:
    """List orders, one page

     Shows an order some minutes after its change, and at most 30 pages of 100 orders: narrow the filters
    where there are more. VTEX advises against it for integrations; the feed has every change.

    Args:
        page (int | Unset):
        per_page (int | Unset):
        order_by (str | Unset):  Example: creationDate,asc.
        f_invoiced_date (str | Unset):  Example: invoicedDate:[2022-01-01T02:00:00.000Z TO
            2022-01-02T01:59:59.999Z].
        f_status (str | Unset):  Example: invoiced.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | OrderList
    """

    return (
        await asyncio_detailed(
            client=client,
            page=page,
            per_page=per_page,
            order_by=order_by,
            f_invoiced_date=f_invoiced_date,
            f_status=f_status,
        )
    ).parsed
