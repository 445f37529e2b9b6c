"""Payloads that cannot be read, or only in part: each message names the source, the place, and what was expected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read, reader
from vtex_tracking_ext.carriers.payload import Value, parse_json, parse_xml

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER: dict[str, Any] = {
    "objetos": [
        {
            "codObjeto": "QB000000018BR",
            "eventos": [
                {"codigo": "BDE", "tipo": "01", "dtHrCriado": "2026-09-17T10:21:37", "descricao": "Saiu de São Luís"}
            ],
        }
    ]
}
TEXT = json.dumps(ANSWER, ensure_ascii=False)
OTHER = TEXT.replace("18BR", "21BR")
SHAPE = "another shape; expected: the answer of GET /srorastro/v1/objetos, an object with a list objetos"
#: How Python reports that JSON is nested too deeply, up to version 3.13 and from 3.14 on.
TOO_DEEP = "(maximum recursion depth|Stack overflow) "
DOCTYPE = "a DOCTYPE, which can define entities; XML without one was expected"
LAUGHS = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 9}">' for level in range(1, 7))


@pytest.mark.parametrize(
    "payload",
    [
        TEXT,
        f"\ufeff{TEXT}",
        *(TEXT.encode(name) for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")),
        ANSWER,
        [ANSWER],
        json.dumps([ANSWER]),
    ],
)
def test_one_document(payload: Any) -> None:
    """Bytes in the encodings that occur, text, and parsed JSON are read alike."""
    (event,) = read("correios", payload).events
    assert (event.tracking_code, event.description) == ("QB000000018BR", "Saiu de São Luís")


def test_a_byte_of_no_known_encoding() -> None:
    """A byte that neither UTF-8 nor Windows-1252 has does not stop the reading."""
    (event,) = read("correios", TEXT.encode("cp1252").replace(b"\xe3", b"\x81")).events
    assert (event.code, event.description) == ("BDE/01", "Saiu de S o Lu\xeds")


def test_documents_one_a_line_of_which_the_first_is_cut_off() -> None:
    """It does not stop the others; text that has a document in no line of its own is one document."""
    reading = read("correios", f"{TEXT[:30]}\n{TEXT}\n{OTHER}\n")
    assert ([event.line for event in reading.events], [each.line for each in reading.problems]) == ([2, 3], [1])
    assert len(read("correios", f"{TEXT[:30]}\n{TEXT}").events) == 1
    assert len(read("correios", f"[\n{TEXT}\n]").events) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_documents_one_a_line(end: str) -> None:
    """Of JSON lines, each event has the number of its line; a line that cannot be read does not stop the others."""
    payload = end.join((TEXT, "", OTHER[:30], "[5]", OTHER, "")).encode()
    reading = read("correios", payload)
    assert [event.line for event in reading.events] == [1, 5]
    cut, other = reading.problems
    assert str(cut).startswith("correios: line 3, column 28: not valid JSON (Unterminated string starting at); ")
    assert (str(other), cut.line, other.line) == (f"correios: [0]: {SHAPE}", 3, 4)


def test_a_list_of_documents() -> None:
    """A document of another shape does not stop the others; a list may be empty."""
    reading = read("correios", [ANSWER, {"events": []}])
    assert len(reading.events) == 1
    assert [str(problem) for problem in reading.problems] == [f"correios: [1]: {SHAPE}"]
    assert read("correios", "[]").events == ()


@pytest.mark.parametrize(
    ("source", "payload", "message"),
    [
        (
            "correios",
            TEXT[:-1],
            r"line 1, column \d+: not valid JSON .*; it ends too early; a JSON document was expected",
        ),
        ("correios", b" \r\n", "empty; a JSON document was expected"),
        ("correios", "[" * 100_000, rf"JSON that cannot be read \({TOO_DEEP}.*\); fewer levels and"),
        ("correios", "9" * 5_000, r"JSON that cannot be read \(.*digits.*\); fewer levels and shorter numbers"),
        ("correios", '{"objetos": NaN}', "objetos: the number nan, a list was expected"),
        ("correios", {"objetos": 10**5_000}, "objetos: a number with too many digits, a list was expected"),
        ("correios", "null", SHAPE),
        ("correios", '"text"', SHAPE),
        ("correios", None, "null was passed; bytes or a text, or parsed JSON, was expected"),
        ("correios", {5}, "a value of type set was passed; bytes or a text, or parsed JSON, was expected"),
        ("total_express", ANSWER, "an object was passed; bytes or a text was expected"),
        ("ocoren", 5, "the number 5 was passed; bytes or a text was expected"),
        ("total_express", b"", "line 1, column 1: not valid XML .*; it ends too early; XML was expected"),
        ("total_express", "<a><b>", "line 1, column 7: not valid XML .*; it ends too early; XML was expected"),
        ("total_express", "<a>\n</b>", r"line 2, column 3: not valid XML \(mismatched tag\); XML was expected"),
        ("total_express", "<a/>", "another shape; expected: the SOAP answer of ObterTracking"),
        ("total_express", f'<!DOCTYPE a [<!ENTITY a0 "a">{LAUGHS}]><a>&a6;</a>', DOCTYPE),
        ("total_express", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]><a>&b;</a>', DOCTYPE),
        ("total_express", '<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>', DOCTYPE),
        ("total_express", b'<?xml version="1.0" encoding="x-none"?><a/>', r"XML that cannot be read \(unknown enc"),
        ("total_express", "<a>" * 5_000 + "</a>" * 5_000, r"XML that cannot be read \(maximum recursion depth"),
    ],
)
def test_whole_payloads_that_cannot_be_read(source: str, payload: Any, message: str) -> None:
    """The message begins with the source and, where there is one, the place."""
    with pytest.raises(PayloadError, match=f"^{source}: {message}"):
        read(source, payload)


def test_a_payload_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of one document: documents one a line may be longer together."""
    monkeypatch.setattr(reader, "MAX_DOCUMENT_BYTES", 250)
    message = "^correios: 0 MB; a document of at most 0 MB was expected: ask for fewer packages$"
    for payload in (TEXT.replace(":", ":" + " " * 30), f"{' ' * 300}\n{TEXT}".encode(), TEXT.encode() + b" " * 300):
        with pytest.raises(PayloadError, match=message):
            read("correios", payload)
    assert len(read("correios", f"{TEXT}\n{OTHER}".encode()).events) == 2


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda value: value.get("text", "b"), "a.text: a text, an object was expected"),
        (lambda value: value.get("list", "b"), "a.list: a list, an object was expected"),
        (lambda value: value.text("list"), "a.list: a list, a text was expected"),
        (lambda value: value.text("flag"), "a.flag: true or false, a text was expected"),
        (lambda value: value.text("float"), "a.float: the number 1.5, a text was expected"),
        (lambda value: value.text("long"), "a.long: a number with too many digits, a text was expected"),
        (lambda value: value.text("bytes"), "a.bytes: a value of type bytes, a text was expected"),
        (lambda value: value.required("none"), "a.none: missing"),
        (lambda value: value.required("missing", "b"), "a.missing.b: missing"),
        (lambda value: value.flag("text"), "a.text: a text, true or false was expected"),
        (lambda value: [*value.items("text")], "a.text: a text, a list was expected"),
        (lambda value: [*value.items("float")], "a.float: the number 1.5, a list was expected"),
    ],
)
def test_values_of_another_type(method: Callable[[Value], object], message: str) -> None:
    """The error says where the value is, what is there, and what was expected."""
    content = {"text": "b", "list": [1], "flag": True, "float": 1.5, "long": 10**5_000, "bytes": b"b", "none": None}
    with pytest.raises(PayloadError, match=f"^{message}$"):
        method(Value(content, "a"))


def test_values_that_are_missing() -> None:
    """A missing value and null are an empty text, false, and no items; the first item of a list shows its shape."""
    value = parse_json('{"none": null, "object": {"a": " 7 ", "b": ""}, "number": 7, "list": [{"a": 0}], "no": false}')
    assert (value.text("none"), value.text("x", "y"), value.text("number")) == ("", "", "7")
    assert value.text("object", "a") == "7"
    assert Value({"a": [{"b": "x"}, {"c": ["y", 5, None, 10**5_000]}]}).texts("a") == ("", "5", "y", "x")
    assert (value.flag("none"), value.flag("no"), [*value.items("none")]) == (False, False, [])
    assert [item.place for item in value.items("object")] == ["object"]
    assert (value.has("list", "a"), value.has("object", "b"), value.has("number", "a")) == (True, False, False)


def test_xml() -> None:
    """Namespaces and attributes are dropped; children of one name are a list; blanks around texts do not count."""
    text = '\n<x:a xmlns:x="urn:x" b="1"><!-- no --><c> 1 </c><c><![CDATA[<2>]]></c><d/><e>\n</e><f><g/></f></x:a>'
    assert parse_xml(text).content == {"a": {"c": ["1", "<2>"], "d": None, "e": None, "f": {"g": None}}}
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe7</a>'
    assert parse_xml(text).content == parse_xml(text.encode("latin-1")).content == {"a": "\xe7"}
