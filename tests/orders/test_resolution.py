"""Which packages a carrier event is about."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from vtex_tracking_ext.carriers import CarrierEvent
from vtex_tracking_ext.orders import OrderIndex, OrderPackage
from vtex_tracking_ext.orders.resolution import resolve

KEY = "35260999999999000191550010000307111123456786"
TIME = dt.datetime(2026, 9, 17, 10, 21)  # noqa: DTZ001 - local

#: Each of one order, with what is known of it.
BY_KEY = OrderPackage("1001-01", "30711", nfe_key=KEY)
BY_INVOICE = OrderPackage("1002-01", "000030712", issuer="99.999.999/0001-91", series="001")
TRACKED = (
    OrderPackage("1003-01", "30713", tracking_number="QB000000018BR"),
    OrderPackage("1004-01", "30714", tracking_number="qb000000018br"),
)
BY_NUMBER = OrderPackage("1005-01", "000030715")
SAME_NUMBER = (OrderPackage("1006-01", "30716"), OrderPackage("1007-01", "030716"))
TWO_INVOICES = (
    OrderPackage("1008-01", "1", tracking_number="AA1"),
    OrderPackage("1008-01", "2", tracking_number="AA2"),
)
#: Of one package, in two rows; of an issuer whose zeros a spreadsheet has cut off; of one order id in two accounts;
#: and of an invoice whose number in VTEX is another one than in its key.
TWICE = (OrderPackage("1009-01", "30719", tracking_number="00 123"), OrderPackage("1009-01", "30719", series="1"))
SHORT_ISSUER = OrderPackage("1010-01", "30720", issuer="9999000191", series="1")
ACCOUNTS = (OrderPackage("1011-01", "30721", account="MyStore"), OrderPackage("1011-01", "30721", account="other"))
OWN_NUMBER = OrderPackage("1012-01", "555", nfe_key=KEY.replace("030711", "030722"))
#: With the series beside the number, a key in its place, and the number of another series.
WITH_SERIES = OrderPackage("1013-01", "30731-12")
KEY_AS_NUMBER = OrderPackage("1014-01", KEY.replace("030711", "030732"))
SHARED = (OrderPackage("1015-01", "30733"), OrderPackage("1016-01", "30733", nfe_key=KEY.replace("030711", "030733")))
#: Returns: of an invoice of their own, and with the number of the package of the same order, or of another one.
RETURNS = (
    OrderPackage("1005-01", "30741", nfe_key=KEY.replace("030711", "030741")),
    OrderPackage("1005-01", "000030715"),
    OrderPackage("1003-01", "30731"),
)
INDEX = OrderIndex(
    [
        *(BY_KEY, BY_INVOICE, *TRACKED, BY_NUMBER, *SAME_NUMBER, *TWO_INVOICES),
        *(*TWICE, SHORT_ISSUER, *ACCOUNTS, OWN_NUMBER, WITH_SERIES, KEY_AS_NUMBER, *SHARED),
    ],
    RETURNS,
)


def event(**values: Any) -> CarrierEvent:
    """Return an event with what its payload says of the package."""
    return CarrierEvent("modelo", "1", TIME, **values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"nfe_key": KEY}, [BY_KEY]),
        ({"issuer": "99999999000191", "series": "1", "invoice_number": "30711"}, [BY_KEY]),  # as its key says
        ({"issuer": "99999999000191", "series": "1", "invoice_number": "30712"}, [BY_INVOICE]),
        ({"tracking_code": "QB000000018BR"}, [*TRACKED]),
        ({"tracking_code": "QB000000018BR", "invoice_number": "30714"}, [TRACKED[1]]),
        ({"order_reference": "1005-01"}, [BY_NUMBER]),
        ({"order_reference": "1008-01", "tracking_code": "AA2"}, [TWO_INVOICES[1]]),
        ({"order_reference": "1008-01", "invoice_number": "1"}, [TWO_INVOICES[0]]),
        ({"order_reference": "not ours", "nfe_key": KEY, "tracking_code": "QB000000018BR"}, [BY_KEY]),
        (
            {"tracking_code": "QB000000018BR", "issuer": "99999999000191", "series": "1", "invoice_number": "30712"},
            [BY_INVOICE],
        ),
        ({"order_reference": "1003-01", "tracking_code": "ME000000001"}, [TRACKED[0]]),  # a broker's own
        ({"order_reference": "1009-01"}, [TWICE[1]]),
        ({"tracking_code": "123"}, [TWICE[0]]),
        ({"issuer": "00009999000191", "series": "1", "invoice_number": "30720"}, [SHORT_ISSUER]),
        ({"order_reference": "1011-01", "account": "mystore"}, [ACCOUNTS[0]]),
        ({"nfe_key": OWN_NUMBER.nfe_key, "invoice_number": "30722"}, [OWN_NUMBER]),
        ({"order_reference": "1013-01", "invoice_number": "30731"}, [WITH_SERIES]),
        ({"issuer": "99999999000191", "series": "1", "invoice_number": "30732"}, [KEY_AS_NUMBER]),
        ({"issuer": "99999999000191", "invoice_number": "30712"}, [BY_INVOICE]),
    ],
)
def test_found(values: dict[str, Any], expected: list[OrderPackage]) -> None:
    """The first identifier that is known decides; leading zeros, case and punctuation do not count."""
    assert [*resolve(event(**values), INDEX).packages] == expected


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"invoice_number": "30716"}, "several packages may be meant: order 1006-01, invoice 30716; order 1007-01, "),
        ({"order_reference": "1008-01"}, "several packages may be meant: order 1008-01, invoice 1; order 1008-01, inv"),
        ({"order_reference": "1008-01", "invoice_number": "3"}, "order 1008-01 has no package with invoice number '3'"),
        ({"nfe_key": KEY.replace("30711", "99999")}, "no order is known with NF-e key '3526"),
        (
            {"order_reference": "1011-01"},
            "several packages may be meant: order 1011-01, invoice 30721; order 1011-",
        ),
        # Invoices of other series may have the number.
        (
            {"invoice_number": "30715"},
            "no order is known with invoice number '30715'; order 1005-01, invoice 000030715 has this number, but an",
        ),
        (
            {"series": "1", "invoice_number": "30720"},
            "no order is known with series '1', invoice number '30720'; order",
        ),
        # The same number of another issuer, or with another tracking number, is another invoice.
        ({"issuer": "88888888000188", "series": "1", "invoice_number": "30712"}, "no order is known with issuer '8888"),
        (
            {"tracking_code": "QB000000035BR", "invoice_number": "30713"},
            "no order is known with invoice number",
        ),
        ({}, "the payload does not name the package"),
        (
            {"order_reference": "1005-01", "invoice_number": "1234567890"},
            "order 1005-01 has no package with invoice num",
        ),
        # A package of another order may have the number, and so may a return, or a package of another series.
        ({"order_reference": "9999-01", "invoice_number": "30715"}, "no order is known with order id '9999-01'"),
        ({"invoice_number": "30731"}, "several packages may be meant: order 1003-01, invoice 30731; order 1013-01, "),
        ({"invoice_number": "30733", "series": "2"}, "several packages may be meant: order 1015-01, invoice 30733; or"),
        ({"order_reference": "1013-01", "invoice_number": "30732"}, "order 1013-01 has no package with invoice number"),
        ({"nfe_key": RETURNS[0].nfe_key}, "the invoice is that of a return: order 1005-01, invoice 30741"),
        (
            {"issuer": "99999999000191", "series": "1", "invoice_number": "30741"},
            "the invoice is that of a return: order 1005-01, invoice 30741",
        ),
    ],
)
def test_not_found(values: dict[str, Any], reason: str) -> None:
    """An ambiguous or unknown package has a reason that lists the candidates, or the identifiers of the payload."""
    match = resolve(event(**values), INDEX)
    assert match.packages == ()
    assert match.reason.startswith(reason)


A1, A2 = {"issuer": "11222333000181", "series": "1"}, {"issuer": "11222333000181", "series": "2"}
B1 = {"issuer": "44555666000177", "series": "1"}
A, ONE = {"issuer": A1["issuer"]}, {"series": "1"}


@pytest.mark.parametrize(
    ("package", "values", "used", "is_found"),
    [
        # Nothing is known of the series of the package.
        ({}, {}, [], True),
        ({}, {"order_reference": "PED-7"}, [], True),  # not an order id of VTEX
        ({}, A1, [], True),
        ({}, {}, [A1], True),
        ({}, A1, [A1], True),
        ({}, {}, [A, ONE], True),
        ({}, {"series": "2"}, [A1], False),
        ({}, {}, [A1, A2], False),
        ({}, ONE, [A1, A2], False),
        ({}, A, [A1, A2], False),
        ({}, A1, [A1, B1], False),
        # Its issuer or its series is.
        (A, ONE, [A1, B1], False),
        (A, {}, [A1], True),
        (A, ONE, [A1, A2], False),
        (ONE, ONE, [A1, A2], True),
        (ONE, ONE, [A1, B1], False),
        # Both are.
        (A1, {}, [A, ONE], True),
        (A1, {}, [A2], False),
        (A1, ONE, [A2], True),
        (A1, ONE, [B1], False),
        (A1, A, [A2], False),
        (A1, A, [B1], True),
        # Other accounts, which count unless the event names the account, or the issuer is the same one.
        (A1, {}, [{**B1, "account": "other"}], False),
        (A1, {"account": "MyStore"}, [{**B1, "account": "other"}], True),
        (A1, {}, [{**A1, "account": "other"}], True),
        (A1, {}, [{**A, "account": "other"}], False),
    ],
)
def test_number_alone(
    package: dict[str, str], values: dict[str, str], used: list[dict[str, str]], *, is_found: bool
) -> None:
    """The number decides unless the event may be about an invoice of another series that the accounts use.

    It is the same whether these series are those of other packages, those of returns, or known without packages.
    """
    numbered = OrderPackage("1001-01", "30711", **{"account": "MyStore", **package})
    others = [OrderPackage("1002-01", "1", **{"account": "mystore", **each}) for each in used]
    for index in (
        OrderIndex([numbered, *others]),
        OrderIndex([numbered], others),
        OrderIndex([numbered], series=[each.invoice_series for each in others]),
    ):
        match = resolve(event(invoice_number="30711", **values), index)
        assert match.packages == ((numbered,) if is_found else ())
        assert not match.is_refused


def test_many_candidates_are_counted() -> None:
    """A reason lists five packages, and counts the others."""
    index = OrderIndex(OrderPackage(f"2{number:03}-01", "7") for number in range(8))
    assert resolve(event(invoice_number="7"), index).reason.endswith("order 2004-01, invoice 7 and 3 more")
