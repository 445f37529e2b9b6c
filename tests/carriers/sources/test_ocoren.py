"""OCOREN: PROCEDA's EDI file of delivery events, versions 3.0, 3.1 and 5.0."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.carriers import PayloadError, read, recognise

from support.carriers import lines, sample, statuses

HEAD = f"000{'TRANSPORTADORA MODELO':35}{'LOJA EXEMPLO':35}1409260930OCO140909300"


def record(code: str = "01", *, time: str = "1021", observation: str = "00", text: str = "", number: str = "45") -> str:
    """Return a record 342, or 542 for a code of three digits; short, as where trailing blanks are cut."""
    kind, width = ("542", 9) if len(code) == 3 else ("342", 8)
    return f"{kind}112223330001812  {number:0>{width}}{code}14092026{time}{observation}{text}"


def file(*records: str, end: str = "\n") -> str:
    """Return a file with these records."""
    kind = "540" if any(line.startswith("5") for line in records) else "340"
    return end.join((HEAD, f"{kind}OCORR140909300", *records, ""))


def test_sample_of_3_1() -> None:
    """Windows-1252, full and short lines, a filler at the end, hour 0000, refusals, an issuer with letters."""
    reading = read("ocoren", sample("ocoren31.txt"))
    assert lines(reading) == [
        "2026-09-10 18:10:00 00 in_transit | - | Processo de transporte já iniciado",
        "2026-09-11 07:05:00 98 in_transit | - | CHEGADA NA FILIAL DE RIBEIRÃO PRETO",
        "2026-09-14 01 delivered! | - | Entrega realizada normalmente",
        "2026-09-14 10:21:00 01 delivered! | - | ENTREGUE NA PORTARIA",
        "2026-09-14 11:30:00 01 returned | - | Devolução/recusa total",
        "2026-09-14 11:40:00 02 delivered_in_part | - | Devolução/recusa parcial",
        "2026-09-14 15:00:00 25 returned | - | Mercadoria devolvida ao cliente de origem",
        "2026-09-14 16:00:00 29 available_for_pickup | - | Cliente retira mercadoria na transportadora",
        "2026-09-14 16:05:00 24 unknown | - | Mercadoria reentregue ao cliente destino",
    ]
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert [event.invoice_number for event in reading.events[1:4]] == ["45120", "45121", "45120"]
    assert {(event.issuer, event.series) for event in reading.events} == {
        ("11222333000181", "2"),
        ("12ABC34501DE35", "2"),
    }
    assert "MODELO" not in repr(reading)


def test_sample_of_5_0() -> None:
    """UTF-8, texts in records 543, volumes in 544, refusals with an invoice of the return, the total of 549."""
    reading = read("ocoren", sample("ocoren50.txt"))
    assert lines(reading) == [
        "2026-09-10 18:10:00 000 in_transit | - | PROCESSO DE TRANSPORTE JÁ INICIADO EM CAMPINAS",
        "2026-09-14 10:21:00 001 delivered! | - | Entrega realizada normalmente",
        "2026-09-14 10:30:00 001 delivered_in_part | - | Entrega parcial",
        "2026-09-14 10:40:00 001 returned | - | Devolução/recusa total",
        "2026-09-14 10:50:00 002 delivered_in_part | - | Devolução/recusa parcial",
        "2026-09-14 11:00:00 101 returning | - | Devolução/não entrega a pedido do embarcador",
    ]
    assert (reading.problems, reading.notes, reading.unknown_codes) == ((), (), ())
    assert "MODELO" not in repr(reading)


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("delivered!", "02"),
        ("available_for_pickup", "29"),
        ("returning", "100 102"),
        ("returned", "25"),
        ("in_transit", "52 91"),
        ("attempt_failed", "20"),
        ("exception", "07"),
        ("unknown", "24 31 105"),
    ],
)
def test_codes(status: str, codes: str) -> None:
    """A delivery on another day is one; look-alikes, and codes that carriers use differently, have another status."""
    for code in codes.split():
        reading = read("ocoren", file(record(code)))
        assert (statuses(reading), reading.unknown_codes) == ([status], ("105",) if code == "105" else ())


@pytest.mark.parametrize("code", ["24", "31"])
def test_merchant_names_deliveries(code: str) -> None:
    """A code counts as a delivery where the merchant names it; what a person typed is never its text."""
    text = record(code, text="ENTREGUE P/ MARIA MODELO")
    for options in ({}, {"delivered": ["1", code]}):
        reading = read("ocoren", file(text), options=options)
        assert statuses(reading) == ["delivered!" if options else "unknown"]
        assert "MODELO" not in repr(reading)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(encoding: str, end: str) -> None:
    """Columns count characters, and only line ends end a line, not a form feed or another control character."""
    text = "AGUARDA\fAGENDA\x1c\xc7\xc3O\x85"
    payload = file(record("98", text=text), record("01"), end=end) + "\x1a"
    assert lines(read("ocoren", payload.encode(encoding, "ignore"))) == [
        "2026-09-14 10:21:00 98 in_transit | - | AGUARDA AGENDA \xc7\xc3O",
        "2026-09-14 10:21:00 01 delivered! | - | Entrega realizada normalmente",
    ]


@pytest.mark.parametrize("cut", [2, 15, 24, 29, 30, 35, 40, 43])
def test_cut_file(cut: int) -> None:
    """A last line that ends within a column, or before one that is needed, is a problem and no event."""
    reading = read("ocoren", file(record("98"), record("01", observation="01")[:cut]).rstrip("\n"))
    assert (statuses(reading), [problem.place for problem in reading.problems]) == (["in_transit"], ["line 4"])


def test_total_and_lines_that_are_no_records() -> None:
    """A total of more events than the file contains, or of fewer, is a problem, as is a line of another kind."""
    reading = read("ocoren", file("543TEXT", record("001"), "TOTAL GERAL", "5490001", record("002"), "5490002"))
    assert statuses(reading) == ["delivered!", "delivered!"]
    assert [str(problem) for problem in reading.problems] == [
        "ocoren: line 3: not a record of OCOREN; a line that begins with 342 or 542 was expected",
        "ocoren: line 5: not a record of OCOREN; a line that begins with 342 or 542 was expected",
        "ocoren: line 8: the total is not the number of events in the file: the file is not complete",
    ]


@pytest.mark.parametrize(
    "broken", [record("  "), record(number=""), record(time="2561"), record()[:30] + "31022026", record()[:28] + "?1"]
)
def test_one_bad_event_does_not_stop_the_others(broken: str) -> None:
    """A record without code or number, or with an impossible time, is a problem with its line."""
    reading = read("ocoren", file(broken, record("52", time="1021"), record("52", time="1022")))
    assert (statuses(reading), [problem.line for problem in reading.problems]) == (["in_transit"] * 2, [3])
    assert len({event.event_id for event in reading.events}) == 2


def test_empty_history_and_another_shape() -> None:
    """A file without events is empty; another file of PROCEDA's is refused."""
    assert not read("ocoren", file()).events
    assert not read("ocoren", f"{HEAD}\n\n").events
    assert recognise(file()) == "ocoren"
    for payload in (f"{HEAD}\n320CONHE140909300\n", "", "342"):
        with pytest.raises(PayloadError, match=r"ocoren: another shape; expected: an EDI file"):
            read("ocoren", payload)
