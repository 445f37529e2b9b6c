"""Make a carrier's text fit for a shopper. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING, Final

from vtex_oms_client import constants

from vtex_tracking_ext.text import comparable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Most characters of a carrier's text that are read: more than enough for a text full of HTML.
_MAX_INPUT: Final = 8 * constants.EVENT_DESCRIPTION_MAX_LENGTH

#: The beginning of a recipient that is not a person's name, such as ``o cliente`` or ``the front desk``.
_NOT_A_NAME: Final = r"""
    (?:(?:os?|as?|el|l[ao]s?|the|an?|um|uma|seu|sua|su|your|outr[ao]|otr[ao]|other|another|final|next|local)\s+)*
    (?:destin|client|compra|remet|remit|contrat|transport|redesp|carrier|courier|agent|ag[e\xea]n|unidad|base|filial|
    loja|store|tienda|ponto|punto|parc|partner|opera|corr?e|post|porta?r|porteir|recep|vizinh|vecin|neigh|ter[cr]|
    famil|parent|entreg|setor|centro|cent|hub|dep|local|locker|arm[a\xe1]|caixa|caja|mail|door|front|porch|garage|safe|
    secure|addr|endere|domic|resid|consig|recipient|customer|buyer|send|ship|seller|merchant|vend|broker|wareh|facil|
    pick|collect|access|indiv|somebody|someone|person|empresa|company|business|office|desk|build|condom|concierge|
    zelador|embarcad|balc|counter|customs|alf[a\xe2]n|adu|pessoa|mesm|respons|household|home|casa|p\.?o\.?\s+box|apart|motor)
"""

#: The end of a text that names the receiver of a package, as carriers write it in four languages. A text about a depot
#: or another carrier that received the package does not match.
_RECEIVER: Final = re.compile(
    rf"""(?ix) [\s\-\u2013,;:.(\[]{{0,9}} \b(?:
        (?:recebid[oa]|recusad[oa]|assinad[oa]|recibid[oa]|firmad[oa])\s+por\b (?!\s+(?:la|el|los|las)\b) |
        recebedora?\b | assinante\b | nome\s+do\s+recebedor | nome\s*: | (?:quem\s+)?recebeu\b\s*: | quem\s+recebeu |
        recibi[\xf3o]\b | entregue\s+(?:a|ao|para|p/)\s+(?:sr|sra)\b\.? |
        (?<=entregue\s|ntregado\s|elivered\s)(?:a|\xe0|ao|para|p/|to)\s*:?\s+(?!{_NOT_A_NAME}) |
        livrat[a\u0103]?\s+(?:c[a\u0103]tre|lui)\s*:?\s+(?!{_NOT_A_NAME}) |
        (?:received|signed)\s+(?:for\s+)?by\b (?!\s+(?:(?:the|local|our|destination|delivery)\s+)*
            (?:carrier|courier|depot|hub|facility|post|postal|customs|station|partner|agent)\b) |
        left\s+with\s*:?\s+(?!{_NOT_A_NAME}) | primit\s+de | semnat\s+de |
        (?:cpf|rg|dni|cnp|documento|doc)\b\.?\s*(?:n[\xbao.]*)?\s*[:\-]?\s*(?=[\d*.]{{3}})
    ) .* \Z""",
    re.DOTALL,
)

#: A CPF as people write it.
_CPF: Final = re.compile(r"\b\d{3}\.\d{3}\.\d{3}-?\d{2}\b")
_TAG: Final = re.compile(
    r"(?s)<(?:script|style)\b.*?(?:</(?:script|style)\s*>|\Z)|<!--.*?(?:-->|\Z)"
    r"|</?[A-Za-z][^<>]*>|<[A-Za-z]+\s[^<>]*=[^<>]*\Z"
)

#: How often a text is unescaped, because some texts were escaped for HTML more than once.
_UNESCAPES: Final = 3

#: Control characters, lone surrogates, and marks that change the direction of the text after them.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u202a-\u202e\u2066-\u2069]")

#: Words in the field of a receiver that do not name a person.
_COMMON_WORDS: Final = frozenset(
    "destinatario cliente portaria recepcao entrega entregue mercadoria objeto the dos das".split()  # noqa: SIM905
)

#: Least letters of a name, or of a word of one, that is searched for: a shorter one occurs within other words.
_MIN_NAME: Final = 3

#: Least digits of a document that is searched for, with or without punctuation.
_MIN_DOCUMENT: Final = 6

#: Most characters of a name, and most names, that are searched for.
_MAX_NAME: Final = 200
_MAX_NAMES: Final = 20


def shopper_text(text: str, names: Iterable[str] = ()) -> str:
    """Return a text without HTML and without the receiver, cut at VTEX's limit.

    Args:
        text: The carrier's text.
        names: The receiver's name and document in the payload.
    """
    text = text[:_MAX_INPUT]
    for _ in range(_UNESCAPES):
        text = html.unescape(_TAG.sub(" ", text))
    text = comparable(_CONTROL.sub(" ", _TAG.sub(" ", text)))
    distinct = dict.fromkeys(comparable(name[:_MAX_NAME]) for name in names)
    for name in islice(filter(None, distinct), _MAX_NAMES):
        text = _without_name(text, name)
    text = _CPF.sub("", _RECEIVER.sub("", text))
    return comparable(text)[: constants.EVENT_DESCRIPTION_MAX_LENGTH].rstrip(" -\u2013,;:([")


def _without_name(text: str, name: str) -> str:
    """Return a text without a name and its words, or without the number of a document."""
    if len(name) >= _MIN_NAME and _folded(name) not in _COMMON_WORDS:
        text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE)
    digits = re.sub(r"\W", "", name)
    if digits.isdecimal():
        return re.sub(r"[.\-/ ]?".join(digits), "", text) if len(digits) >= _MIN_DOCUMENT else text
    words = {word for word in re.findall(r"\w+", _folded(name)) if len(word) >= _MIN_NAME} - _COMMON_WORDS
    return re.sub(r"\w+", lambda word: "" if _folded(word[0]) in words else word[0], text)


def _folded(text: str) -> str:
    """Return a text in lower case without accents."""
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))
