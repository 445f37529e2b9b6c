from http import HTTPStatus
from typing import Any, cast

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.feed_item import FeedItem
from ...types import UNSET, Response


def _get_kwargs(
    *,
    maxlot: int,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["maxlot"] = maxlot

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/orders/feed",
        "params": params,
    }

    return _kwargs


def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | list[FeedItem] | None:
    if response.status_code == 200:
        response_200 = []
        _response_200 = response.json()
        for response_200_item_data in _response_200:
            response_200_item = FeedItem.from_dict(response_200_item_data)

            response_200.append(response_200_item)

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


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[Any | list[FeedItem]]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    maxlot: int,
) -> Response[Any | list[FeedItem]]:
    """Take items from the feed

     The items are hidden from further calls for the feed's visibility timeout, and come again unless
    they are committed before it ends. Some may come twice, or later than others that are newer.

    Args:
        maxlot (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | list[FeedItem]]
    """

    kwargs = _get_kwargs(
        maxlot=maxlot,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    maxlot: int,
) -> Any | list[FeedItem] | None:
    """Take items from the feed

     The items are hidden from further calls for the feed's visibility timeout, and come again unless
    they are committed before it ends. Some may come twice, or later than others that are newer.

    Args:
        maxlot (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | list[FeedItem]
    """

    return sync_detailed(
        client=client,
        maxlot=maxlot,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    maxlot: int,
) -> Response[Any | list[FeedItem]]:
    """Take items from the feed

     The items are hidden from further calls for the feed's visibility timeout, and come again unless
    they are committed before it ends. Some may come twice, or later than others that are newer.

    Args:
        maxlot (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | list[FeedItem]]
    """

    kwargs = _get_kwargs(
        maxlot=maxlot,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    maxlot: int,
) -> Any | list[FeedItem] | None:
    """Take items from the feed

     The items are hidden from further calls for the feed's visibility timeout, and come again unless
    they are committed before it ends. Some may come twice, or later than others that are newer.

    Args:
        maxlot (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | list[FeedItem]
    """

    return (
        await asyncio_detailed(
            client=client,
            maxlot=maxlot,
        )
    ).parsed
