r"""The names under which people and programs write the columns, in English, Portuguese, Spanish and Romanian. Pure.

Names are compared without accents, case, punctuation and repeated blanks: ``Nº  do\nPedido`` is ``no do pedido``. A
name that can mean two things, such as ``Estado`` (a state in Portuguese, a status in Spanish), is not among them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Other names of each field, as :func:`name_key` writes them, separated by commas.
_NAMES: Final = {
    "order_id": """
        order, order no, order number, id order, vtex order, vtex order id, pedido, no pedido, no do pedido,
        num pedido, numero pedido, numero do pedido, numero de pedido, id pedido, id do pedido, id del pedido,
        cod pedido, codigo pedido, codigo do pedido, pedido vtex, pedido id, orden, no orden, no de orden, nro orden,
        nro de orden, nro pedido, nro de pedido, numero orden, numero de orden, id orden, id de orden, comanda,
        nr comanda, numar comanda, numarul comenzii, id comanda
    """,
    "invoice_number": """
        invoice, invoice no, invoice id, nf, nfe, nf e, no nf, no da nf, num nf, numero nf, numero da nf, nota,
        no nota, no da nota, nota fiscal, no nota fiscal, numero nota, numero da nota, numero nota fiscal,
        numero da nota fiscal, num nota fiscal, fatura, numero da fatura, factura, no factura, no de factura,
        nro factura, nro de factura, numero factura, numero de factura, nr factura, numar factura, numarul facturii
    """,
    "date": """
        event date, date of event, date time, datetime, date and time, data, data hora, data e hora, data evento,
        data do evento, data ocorrencia, data da ocorrencia, dt evento, dt ocorrencia, dt hora, fecha, fecha hora,
        fecha y hora, fecha evento, fecha del evento, fecha de evento, fecha novedad, data eveniment,
        data evenimentului, data si ora
    """,
    "time": "hora, horario, hora evento, hora do evento, hora da ocorrencia, hora del evento, event time, ora",
    "city": "cidade, municipio, ciudad, localidad, localidade, oras, localitate, localitatea, event city, town",
    "state": "uf, provincia, departamento, judet, judetul, region, event state, estado uf, uf estado",
    "description": """
        event, event description, message, status, descricao, descricao evento, descricao do evento,
        descricao da ocorrencia, ocorrencia, evento, situacao, mensagem, descripcion, descripcion evento,
        descripcion del evento, mensaje, novedad, estatus, descriere, descrierea evenimentului, eveniment, mesaj,
        stare, status comanda
    """,
    "is_delivered": "delivered, entregue, foi entregue, entregado, fue entregado, livrat, este livrat",
    "delivered_date": """
        delivery date, delivered at, delivered on, data entrega, data de entrega, data da entrega, dt entrega,
        fecha entrega, fecha de entrega, data livrare, data livrarii
    """,
    "account": "vtex account, account name, conta vtex, cuenta vtex, cont vtex",
    "event_id": "id event, id evento, id do evento, id del evento, id eveniment",
}

_NOT_A_WORD: Final = re.compile(r"[\W_]+")


def name_key(name: str) -> str:
    """Return the form of a column's name that is compared."""
    # º and ª are letters to Unicode, and compatibility forms of o and a.
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return _NOT_A_WORD.sub(" ", plain).strip().casefold()


#: The field of each name.
ALIASES: Final = {" ".join(name.split()): field for field, names in _NAMES.items() for name in names.split(",")}
