"""Values of a payload in JSON or XML, each with its place, so that messages can name it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.parsers.expat import errors

from attrs import frozen

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import trimmed

#: Most bytes of one JSON or XML document: Python needs several times as much memory to read it.
MAX_DOCUMENT_BYTES: Final = 64 << 20

#: Characters of a value that a message quotes.
_SHOWN: Final = 60

#: Errors of the XML parser at the end of a document that is not complete.
_EARLY_ENDS: Final = {errors.codes[errors.XML_ERROR_NO_ELEMENTS], errors.codes[errors.XML_ERROR_UNCLOSED_TOKEN]}

_KINDS: Final = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class PayloadError(VtexTrackingError):
    """A payload, or a part of one, cannot be read; the message says where, why, and what was expected.

    Attributes:
        place: The place in the payload.
        message: What is wrong, and what was expected.
        line: The line where the part, or its document, begins.
    """

    def __init__(self, message: str, place: str = "", line: int = 1) -> None:
        super().__init__(": ".join(filter(None, (place, message))))
        self.message, self.place, self.line = message, place, line


@frozen
class Value:
    """A value of a payload, with its place.

    Attributes:
        content: The value: an object, a list, a text, a number, true, false or None.
        place: Where it is in its document, such as ``objetos[0].eventos[2]``.
        line: The line where its document begins; for a line of text, its number.
    """

    content: Any
    place: str = ""
    line: int = 1

    def __contains__(self, key: str) -> bool:
        return isinstance(self.content, Mapping) and key in self.content

    def error(self, message: str) -> PayloadError:
        """Return an error about this value."""
        return PayloadError(message, self.place, self.line)

    def get(self, *keys: str) -> Value:
        """Return the member at a path of keys; None counts as an object without members.

        Raises:
            PayloadError: A value on the path is not an object.
        """
        value = self
        for key in keys:
            if value.content is not None and not isinstance(value.content, Mapping):
                raise value.error(f"{kind_of(value.content)}, an object was expected")
            content = None if value.content is None else value.content.get(key)
            value = Value(content, f"{value.place}.{key}".lstrip("."), self.line)
        return value

    def text(self, *keys: str) -> str:
        """Return a text, or a whole number as text, without blanks at its ends; empty if it is missing.

        Raises:
            PayloadError: The value is neither a text nor a whole number.
        """
        value = self.get(*keys)
        content = value.content
        if content is None:
            return ""
        if isinstance(content, str) or (isinstance(content, int) and not isinstance(content, bool)):
            try:
                return trimmed(str(content))
            except ValueError:  # an integer with more digits than Python converts
                pass
        raise value.error(f"{kind_of(content)}, a text was expected")

    def required(self, *keys: str) -> str:
        """Return a text that must not be empty; see :meth:`text`.

        Raises:
            PayloadError: The value is missing or empty, or is neither a text nor a whole number.
        """
        text = self.text(*keys)
        if not text:
            raise self.get(*keys).error("missing")
        return text

    def texts(self, *keys: str) -> tuple[str, ...]:
        """Return all texts and numbers in a member of any shape, so that no name of a receiver is missed.

        Raises:
            PayloadError: A value on the path is not an object.
        """
        found: list[str] = []
        contents = [self.get(*keys).content]
        while contents:
            content = contents.pop()
            if isinstance(content, Mapping):
                contents += content.values()
            elif isinstance(content, Sequence) and not isinstance(content, str):
                contents += content
            elif content is not None:
                found.append(_shown(content))
        return tuple(found)

    def flag(self, *keys: str) -> bool:
        """Return true or false; false if it is missing.

        Raises:
            PayloadError: The value is neither true nor false.
        """
        value = self.get(*keys)
        if value.content is None or isinstance(value.content, bool):
            return bool(value.content)
        raise value.error(f"{kind_of(value.content)}, true or false was expected")

    def items(self, *keys: str) -> Iterator[Value]:
        """Yield the items of a list, or nothing if it is missing. A single object counts as a list of one, as in XML.

        Raises:
            PayloadError: The value is neither a list nor an object.
        """
        value = self.get(*keys)
        content = value.content
        if content is None or content == "":
            return
        if isinstance(content, Mapping):
            yield value
        elif isinstance(content, Sequence) and not isinstance(content, str):
            yield from (Value(item, f"{value.place}[{index}]", self.line) for index, item in enumerate(content))
        else:
            raise value.error(f"{kind_of(content)}, a list was expected")

    def has(self, *keys: str) -> bool:
        """Return whether the member at a path of keys exists and is neither None nor an empty text.

        Of a list on the path, the first item counts. If another value on the path is not an object, there is no member.
        """
        content = self.content
        for key in keys:
            if isinstance(content, Sequence) and not isinstance(content, str) and content:
                content = content[0]  # the first item shows the shape of a list
            if not isinstance(content, Mapping):
                return False
            content = content.get(key)
        return content not in (None, "")


def kind_of(content: object) -> str:
    """Return the kind of a value for a message, without its texts, which may contain the receiver's name."""
    if type(content) in _KINDS:
        return _KINDS[type(content)]
    if not isinstance(content, int | float):
        return f"a value of type {type(content).__name__}"
    number = _shown(content)
    return f"the number {number[:_SHOWN]}" if number else "a number with too many digits"


def _shown(content: object) -> str:
    try:
        return str(content)
    except ValueError:  # an integer with more digits than Python converts
        return ""


def parse_json(text: str, line: int = 1) -> Value:
    """Return the JSON document in a text.

    Args:
        text: The text.
        line: The line of the file where it begins.

    Raises:
        PayloadError: The text is not JSON, or is nested too deeply.
    """
    try:
        return Value(json.loads(text), line=line)
    except json.JSONDecodeError as error:
        place = f"line {line + error.lineno - 1}, column {error.colno}"
        cut = "; it ends too early" if error.pos >= len(text.rstrip()) else ""
        raise PayloadError(f"not valid JSON ({error.msg}){cut}; a JSON document was expected", place, line) from None
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number with too many digits
        reason = str(error).partition(":")[0]
        raise PayloadError(
            f"JSON that cannot be read ({reason}); fewer levels and shorter numbers were expected", "", line
        ) from None


class _SafeTreeBuilder(ET.TreeBuilder):
    """Refuses document types, and so entities, with which a small document could need any amount of memory."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Raise PayloadError."""
        del name, pubid, system
        raise PayloadError("a DOCTYPE, which can define entities; XML without one was expected")


def parse_xml(content: bytes | str) -> Value:
    """Return an XML document as objects.

    An element with children becomes an object of them, an element with text the text, and an empty element None.
    Children of one name become a list. Namespaces and attributes are dropped.

    Raises:
        PayloadError: The content is not XML, has a document type, or is nested too deeply.
    """
    parser = ET.XMLParser(target=_SafeTreeBuilder())  # noqa: S314 - without entities
    try:
        root = ET.fromstring(content.lstrip(), parser)  # noqa: S314 - without entities
        return Value({_local_name(root): _xml_content(root)})
    except ET.ParseError as error:
        line, column = error.position
        place = f"line {line}, column {column + 1}"
        cut = "; it ends too early" if error.code in _EARLY_ENDS else ""
        message = f"not valid XML ({str(error).partition(':')[0]}){cut}; XML was expected"
        raise PayloadError(message, place) from None
    except (RecursionError, ValueError, LookupError) as error:  # nested too deeply, or an unknown encoding
        raise PayloadError(
            f"XML that cannot be read ({error}); fewer levels, and UTF-8 or ISO-8859-1, were expected"
        ) from None


def _xml_content(element: ET.Element) -> object:
    children: dict[str, Any] = {}
    for child in element:
        children.setdefault(_local_name(child), []).append(_xml_content(child))
    if not children:
        return (element.text or "").strip() or None
    return {name: values[0] if len(values) == 1 else values for name, values in children.items()}


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
