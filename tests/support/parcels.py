"""Generated parcels of orders, what eight carriers say of them, and the packages on which their events may end up."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, frozen

from vtex_tracking_ext import NotFoundError, Package
from vtex_tracking_ext.bulk.input.rows import Row, UnmatchedEvents
from vtex_tracking_ext.carriers import read
from vtex_tracking_ext.orders import OrderIndex, OrderPackage, OrderStore, carrier_rows
from vtex_tracking_ext.orders.package import package_of_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vtex_tracking_ext.bulk.journal.interface import Journal
    from vtex_tracking_ext.orders.rows import PackageReader

#: The accounts of the run, its own one first, and the CNPJs of their issuers, one of which has invoices in both.
ACCOUNTS: Final = {"first": ("11222333000181", "44555666000177"), "second": ("44555666000177", "00999888000166")}

#: The day of the first events. Each payload has one event, and a minute of its own, which tells it from the others.
_START: Final = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - local
_MINUTES: Final = 1000
_NOW: Final = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)

#: Payloads that are read at once.
_BATCH: Final = 200


@frozen
class Parcel:
    """An invoice, and the parcel in which its goods are; several invoices may be in one parcel.

    Attributes:
        account: The account that fulfils.
        order_id: The order there.
        invoice: The number of the invoice, verbatim as VTEX has it.
        issuer: The CNPJ of the issuer.
        series: The series.
        number: The number on the invoice.
        carrier: The source of the carrier.
        code: The carrier's tracking code.
        shown: The package as the order shows it.
        row: What a file says of the package, or None if the order itself is known.
        is_known: Whether the index has the package.
    """

    account: str
    order_id: str
    invoice: str
    issuer: str
    series: str
    number: int
    carrier: str
    code: str
    shown: Package
    row: OrderPackage | None = None
    is_known: bool = True

    @property
    def key(self) -> str:
        """The NF-e key."""
        return _key(self.issuer, self.series, self.number)

    @property
    def target(self) -> tuple[str, str, str]:
        """Where its events belong."""
        return self.account, self.order_id, self.invoice

    @property
    def known(self) -> OrderPackage:
        """What an index is told of the package."""
        return self.row or package_of_order(self.order_id, self.shown, self.account)


@frozen
class Told:
    """A payload.

    Attributes:
        source: The carrier.
        document: What the carrier sends.
        parcel: The invoice that the carrier reports.
    """

    source: str
    document: Any
    parcel: Parcel


@define
class Outcome:
    """What became of the events.

    Attributes:
        right: Events on the packages that are meant, by carrier.
        refused: Events that are refused, and name the packages that may be meant, by carrier.
        parked: Events whose package is not found, by carrier.
        own: Events with the order id and the invoice number of their payload, which VTEX refuses or has, by carrier:
            the invoice may also be that of a return, because the order cannot be read and is not known.
        known: Events of known packages on their way to shoppers, by carrier.
        found: Those of them that are on the right packages, by carrier.
        wrong: What is wrong.
    """

    right: Counter[str] = field(factory=Counter)
    refused: Counter[str] = field(factory=Counter)
    parked: Counter[str] = field(factory=Counter)
    own: Counter[str] = field(factory=Counter)
    known: Counter[str] = field(factory=Counter)
    found: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)

    def share(self, source: str) -> float:
        """Return the share of the events of known packages that are on the right ones."""
        return self.found[source] / self.known[source]


class World:
    """Orders of two accounts, and what an index knows of them.

    Orders have up to three packages, and some have a return, whose tracking number VTEX always has. Invoices of several
    issuers and series have the same numbers, but not two of one order, whose packages VTEX tells apart by these;
    parcels contain the invoices of several orders; tracking numbers and NF-e keys are missing, or written otherwise. A
    tenth of the orders is not known, of others only the first package is, and others are known from a file.

    Args:
        seed: The seed of what is generated.
        orders: How many orders there are.
    """

    def __init__(self, seed: int, orders: int) -> None:
        self._choose = random.Random(seed)  # noqa: S311 - not for security
        # The numbers of the series 1 and 2 are the same for each issuer, and those of the series 3 are not.
        issuers = dict.fromkeys(issuer for each in ACCOUNTS.values() for issuer in each)
        sequences = enumerate((issuer, series) for issuer in issuers for series in "123")
        self._next = {each: 40_001 if each[1] in "12" else 1_000_000 * index + 1 for index, each in sequences}
        self.parcels: list[Parcel] = []
        for number in range(orders):
            self._add_order(number)
        self._by_code: defaultdict[str, list[Parcel]] = defaultdict(list)
        for parcel in self.parcels:
            self._by_code[parcel.code].append(parcel)
        self._by_target = {parcel.target: parcel for parcel in self.parcels}
        self._by_order: defaultdict[tuple[str, str], list[Package]] = defaultdict(list)
        for parcel in self.parcels:
            self._by_order[parcel.account, parcel.order_id].append(parcel.shown)

    def save(self, journal: Journal) -> OrderStore:
        """Return a store that knows the known orders."""
        store = OrderStore(journal, _account_name)
        orders: defaultdict[tuple[str, str], list[Package]] = defaultdict(list)
        for parcel in self.parcels:
            if parcel.is_known and parcel.row is None:
                orders[parcel.account, parcel.order_id].append(parcel.shown)
        for (account, order_id), packages in orders.items():
            store.save_order(account, order_id, packages)
        store.save(parcel.row for parcel in self.parcels if parcel.is_known and parcel.row is not None)
        return store

    def index(self) -> OrderIndex:
        """Return an index of the known packages."""
        known = [each for each in self.parcels if each.is_known]
        types = ([each.known for each in known if each.shown.type == type_] for type_ in ("Output", "Input"))
        packages, returns = types
        return OrderIndex(packages, returns)

    def read_packages(self, account: str, order_id: str) -> Sequence[Package]:
        """Return the packages of an order, known or not."""
        account = account or next(iter(ACCOUNTS))
        if (account, order_id) not in self._by_order:
            raise NotFoundError("not found", status_code=404)
        return self._by_order[account, order_id]

    def tell(self) -> list[Told]:
        """Return a payload of each parcel, of an event a minute."""
        return [
            _TELLERS[parcel.carrier](parcel, _time(number), self._choose) for number, parcel in enumerate(self.parcels)
        ]

    def check(self, told: Sequence[Told], orders: OrderIndex | OrderStore, reader: PackageReader | None) -> Outcome:
        """Read payloads, find their packages, and return what became of them."""
        outcome = Outcome()
        by_source: defaultdict[str, list[tuple[int, Told]]] = defaultdict(list)
        for number, each in enumerate(told):
            by_source[each.source].append((number, each))
        for source, payloads in by_source.items():
            for start in range(0, len(payloads), _BATCH):
                self._check(source, dict(payloads[start : start + _BATCH]), orders, reader, outcome)
        return outcome

    def _check(
        self,
        source: str,
        told: Mapping[int, Told],
        orders: OrderIndex | OrderStore,
        reader: PackageReader | None,
        outcome: Outcome,
    ) -> None:
        reading = read(source, _JOIN.get(source, list)([each.document for each in told.values()]))
        assert len(reading.events) == len(told), (reading.problems, reading.notes)
        found: defaultdict[int, set[tuple[str, str, str]]] = defaultdict(set)
        for row in carrier_rows(reading, orders=orders, read_packages=reader, accounts=[*ACCOUNTS], now=_NOW):
            if isinstance(row, Row):
                assert row.event is not None
                target = row.account or next(iter(ACCOUNTS)), row.order_id, row.invoice_number
                found[_number(f"{row.event.date}T{row.time}")].add(target)
            elif isinstance(row, UnmatchedEvents):
                named = "several packages may be meant: order " in row.message
                (outcome.refused if named else outcome.parked)[source] += row.events
            else:
                outcome.wrong.append(str(row))
        for number, each in told.items():
            self._judge(each, found[number], outcome)

    def _judge(self, told: Told, found: set[tuple[str, str, str]], outcome: Outcome) -> None:
        parcel, source = told.parcel, told.source
        together = [each for each in self._by_code[parcel.code] if each.shown.type == "Output"] if parcel.code else []
        tracked = {each.target for each in together if each.is_known and each.known.tracking_number}
        is_known = parcel.is_known and parcel.shown.type == "Output"
        outcome.known[source] += is_known
        if source == "correios" and not tracked <= found:  # which names the tracking code alone
            outcome.wrong.append(f"{parcel.code} is that of {tracked}, not only of {found}")
        if not found:
            return
        if found <= {each.target for each in (*together, parcel) if each.shown.type == "Output"}:
            outcome.right[source] += 1
            outcome.found[source] += is_known
        elif found.isdisjoint(self._by_target) or (found == {parcel.target} and not parcel.is_known):
            outcome.own[source] += 1
        else:
            reported = f"{parcel.shown.type} {parcel.target}, which is {'' if parcel.is_known else 'not '}known"
            outcome.wrong.append(f"{source}: {told.document} is about {reported}, not about {found}")

    def _add_order(self, order: int) -> None:
        choose = self._choose
        account = choose.choice([*ACCOUNTS])
        order_id = f"{1263300000000 + order}-01"
        known = choose.random() < 0.9
        is_file = choose.random() < 0.25
        types = ["Output"] * choose.choice([1, 1, 1, 1, 2, 3]) + ["Input"] * (choose.random() < 0.08)
        knows = choose.choice([len(types)] * 4 + [1])
        for index, type_ in enumerate(types):
            parcel = self._parcel(account, order_id, type_)
            if is_file and type_ == "Output":
                parcel = evolve(parcel, row=self._row(parcel))
            self.parcels.append(evolve(parcel, is_known=known and index < knows and (type_ == "Output" or not is_file)))

    def _parcel(self, account: str, order_id: str, type_: str) -> Parcel:
        choose = self._choose
        issuer, series = choose.choice(ACCOUNTS[account]), choose.choice("123")
        number = self._next[issuer, series]
        while any(each.order_id == order_id and each.number == number for each in self.parcels[-3:]):
            number += 1
        self._next[issuer, series] = number + 1
        carrier, code = self._carrier_and_code(len(self.parcels))
        invoice = choose.choice([f"{number}", f"{number:09}", f"{number:09}", f"{number:07}", f"{number}-{series}"])
        key = _key(issuer, series, number)
        spaced = " ".join(key[at : at + 4] for at in range(0, 44, 4))
        shown = Package(
            invoice,
            type_,
            choose.choice([code, code, code.lower(), f" {code[:2]} {code[2:]}", *[None] * (type_ == "Output")]) or None,
            None,
            carrier,
            finished=False,
            delivered_date=None,
            events=(),
            invoice_key=choose.choice([key, key, spaced, None, "pendente"]),
        )
        return Parcel(account, order_id, invoice, issuer, series, number, carrier, code, shown)

    def _carrier_and_code(self, number: int) -> tuple[str, str]:
        """Return a carrier and a tracking code, now and then those of the parcel before."""
        if self.parcels and self._choose.random() < 0.1:
            return self.parcels[-1].carrier, self.parcels[-1].code
        carrier = self._choose.choice([*_TELLERS])
        codes = {"ocoren": "", "ssw": "", "jadlog": f"0018{number:012}", "total_express": f"007{number:06}"}
        return carrier, codes.get(carrier, f"QB{number:09}BR")

    def _row(self, parcel: Parcel) -> OrderPackage:
        """Return what a file says of a package: any of its identifiers, with zeros or without."""
        choose = self._choose
        return OrderPackage(
            parcel.order_id,
            parcel.invoice,
            choose.choice([parcel.key, "", ""]),
            choose.choice([parcel.issuer, parcel.issuer.lstrip("0"), ""]),
            choose.choice([parcel.series, f"{parcel.series:0>3}", ""]),
            choose.choice([parcel.code, parcel.code.lstrip("0"), ""]),
            parcel.account,
        )


def _time(number: int) -> dt.datetime:
    """Return the time of the event of a payload, never midnight, which means no time in some payloads."""
    days, minutes = divmod(number, _MINUTES)
    return _START + dt.timedelta(days=days, minutes=minutes + 1)


def _number(time: str) -> int:
    """Return the number of the payload whose event has a time."""
    passed = dt.datetime.fromisoformat(time) - _START
    return passed.days * _MINUTES + passed.seconds // 60 - 1


def _account_name(account: str) -> str:
    return account or next(iter(ACCOUNTS))


def _key(issuer: str, series: str, number: int) -> str:
    return f"352601{issuer}55{series:0>3}{number:09}1{number % 10**8:08}0"


def _ocoren(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of an invoice, in one of the two versions."""
    if choose.random() < 0.5:
        line = f"342{parcel.issuer}{parcel.series:<3}{parcel.number:08}80{time:%d%m%Y%H%M}00CHEGADA"
    else:
        line = f"542{parcel.issuer}{parcel.series:0>3}{parcel.number:09}080{time:%d%m%Y%H%M}00"
    return Told("ocoren", f"{line:<120}", parcel)


def _correios(parcel: Parcel, time: dt.datetime, _: random.Random) -> Told:
    """Tell of a tracking code, and of nothing else."""
    event = {"codigo": "RO", "tipo": "01", "dtHrCriado": f"{time:%Y-%m-%dT%H:%M:%S}", "descricao": "Em transferência"}
    return Told("correios", {"codObjeto": parcel.code, "eventos": [event]}, parcel)


def _intelipost(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of order, tracking code and invoice, not always of each."""
    invoice = {
        "invoice_series": parcel.series,
        "invoice_number": choose.choice([str(parcel.number), f"{parcel.number:09}"]),
        "invoice_key": choose.choice([parcel.key, parcel.key, None]),
    }
    document = {
        "order_number": f"IP-{parcel.order_id}",
        "sales_order_number": choose.choice([parcel.order_id, parcel.order_id, f"ERP{parcel.number}", ""]),
        "tracking_code": choose.choice([parcel.code, ""]),
        "volume_number": "1",
        "invoice": invoice,
        "history": {"shipment_order_volume_state": "SHIPPED", "event_date_iso": f"{time:%Y-%m-%dT%H:%M:%S}.000-03:00"},
    }
    return Told("intelipost", document, parcel)


def _ssw(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of series and number of an invoice, and of the order if the carrier has it."""
    header = {
        "nro_nf": choose.choice([f"{parcel.series} {parcel.number}", f"{parcel.series:0>3} {parcel.number:09}"]),
        "pedido": choose.choice([parcel.order_id, "", f"{parcel.number}"]),
    }
    event = {"codigo_ssw": "80", "ocorrencia": "SAIDA (80)", "data_hora": f"{time:%Y-%m-%dT%H:%M:%S}"}
    return Told("ssw", {"success": True, "documento": {"header": header, "tracking": [event]}}, parcel)


def _jadlog(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of a tracking code, and of what the query named: key, invoice or order."""
    named: dict[str, Any] = choose.choice(
        [
            {},
            {"df": {"danfe": parcel.key}},
            {"df": {"nf": str(parcel.number), "serie": parcel.series, "cnpjRemetente": parcel.issuer}},
            {"pedido": parcel.order_id},
        ]
    )
    event = {"data": f"{time:%Y-%m-%d %H:%M:%S}", "status": "TRANSFERENCIA"}
    tracking = {"codigo": choose.choice([parcel.code, parcel.code.lstrip("0")]), "eventos": [event]}
    return Told("jadlog", {**named, "tracking": tracking}, parcel)


def _total_express(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of a tracking code, order, series and number; the order may be that of the ERP."""
    order = choose.choice([parcel.order_id, parcel.order_id, f"ERP{parcel.number}"])
    document = (
        f"<item><Awb>{parcel.code}</Awb><Pedido>{order}</Pedido><NotaFiscal>{parcel.number:09}</NotaFiscal>"
        f"<SerieNotaFiscal>{parcel.series}</SerieNotaFiscal><ArrayStatusTotal><item><CodStatus>102</CodStatus>"
        f"<DescStatus>TRANSFERENCIA</DescStatus><DataStatus>{time:%Y-%m-%dT%H:%M:%S}</DataStatus></item>"
        "</ArrayStatusTotal></item>"
    )
    return Told("total_express", document, parcel)


def _frenet(parcel: Parcel, time: dt.datetime, _: random.Random) -> Told:
    """Tell of order and tracking code."""
    event = {"EventDateTime": f"{time:%d/%m/%Y %H:%M}", "EventDescription": "Em trânsito", "EventType": "5"}
    document = {"OrderId": parcel.order_id, "TrackingNumber": parcel.code, "TrackingEvents": [event]}
    return Told("frenet", document, parcel)


def _aftership(parcel: Parcel, time: dt.datetime, choose: random.Random) -> Told:
    """Tell of a tracking code, and of what the shop passed: order, invoice and account."""
    event = {"checkpoint_time": f"{time:%Y-%m-%dT%H:%M:%S}", "message": "In transit", "tag": "InTransit"}
    passed = choose.choice([{}, {"order_id": parcel.order_id}, {"order_number": str(parcel.number)}])
    fields = choose.choice([{}, {"invoice_number": parcel.invoice}, {"vtex_account": parcel.account}])
    document = {"tracking_number": parcel.code, "checkpoints": [event], "custom_fields": fields, **passed}
    return Told("aftership", document, parcel)


_TELLERS: Final[Mapping[str, Callable[[Parcel, dt.datetime, random.Random], Told]]] = {
    "ocoren": _ocoren,
    "correios": _correios,
    "intelipost": _intelipost,
    "ssw": _ssw,
    "jadlog": _jadlog,
    "total_express": _total_express,
    "frenet": _frenet,
    "aftership": _aftership,
}

#: How the payloads of many parcels are delivered at once, but for a list of them.
_JOIN: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "ocoren": lambda lines: "\n".join([f"000{'':<117}", *lines]),
    "correios": lambda objects: {"objetos": objects},
    "jadlog": lambda answers: {"consulta": answers},
    "total_express": lambda items: (
        "<Envelope><Body><ObterTrackingResponse><ObterTrackingResponse><CodigoProc>1</CodigoProc><ArrayLoteRetorno>"
        f"<item><ArrayEncomendaRetorno>{''.join(items)}</ArrayEncomendaRetorno></item></ArrayLoteRetorno>"
        "</ObterTrackingResponse></ObterTrackingResponse></Body></Envelope>"
    ),
}
