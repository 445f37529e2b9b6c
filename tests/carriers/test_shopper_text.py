"""Texts fit for shoppers."""

from __future__ import annotations

import pytest

from vtex_tracking_ext.carriers.shopper_text import shopper_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p>Objeto&nbsp;entregue<br>ao <b>destinatário</b></p>", "Objeto entregue ao destinatário"),
        ("Entregue<script>alert(1)</script><!-- x -->", "Entregue"),
        ("peso &lt; 5 kg", "peso < 5 kg"),
        ("MERCADORIA ENTREGUE - Recebido por: MARIA MODELO, RG 12.345.678-9", "MERCADORIA ENTREGUE"),
        ("Delivered, signed by M. MODELO", "Delivered"),
        ("Signed for by: MODELO", ""),
        ("Entregado. Recibido por MARIA MODELO", "Entregado"),
        ("Livrat (primit de MARIA MODELO)", "Livrat"),
        ("Entrega recusada por MARIA MODELO", "Entrega"),
        ("Entregue a MARIA MODELO CPF 000.000.001-91", "Entregue"),
        ("CPF: 00000000191", ""),
        ("Saiu para entrega 000.000.001-91", "Saiu para entrega"),
        ("Documento de transporte emitido", "Documento de transporte emitido"),
        ("Objeto recebido na unidade de Recife / PE", "Objeto recebido na unidade de Recife / PE"),
        ("Objeto recebido pelos Correios do Brasil", "Objeto recebido pelos Correios do Brasil"),
        ("Received by carrier", "Received by carrier"),
        ("x" * 6000, "x" * 5000),
        ("&lt;b&gt;Entregue&lt;/b&gt; &amp;lt;img src=x&amp;gt;", "Entregue"),
        ("Entregue <img src=x onerror=alert(1)", "Entregue"),
        ("Entregue<script>alert(1)", "Entregue"),
        ("Em\x00 tr\xe2nsito\ud800 \u202e\U0001f69a", "Em tr\xe2nsito \U0001f69a"),
        ("Entregue a JO\xc3O DA SILVA", "Entregue"),
        ("Delivered to J. Doe", "Delivered"),
        ("Entregue para: J. Doe", "Entregue"),
        ("Left with J. Doe", ""),
        ("Left with a neighbor", "Left with a neighbor"),
        ("Livrat c\u0103tre J. Doe", ""),
        ("Delivered to the front desk", "Delivered to the front desk"),
        ("Objeto entregue \xe0 transportadora", "Objeto entregue \xe0 transportadora"),
        ("Objeto entregue ao remetente", "Objeto entregue ao remetente"),
        ("Entregue na portaria, M\xe1ria", "Entregue na portaria"),
        ("Doc. 00000000191 Modelo", ""),
        ("Quem recebeu: X", ""),
        ("." * 100_000 + "x", "." * 5000),
        ("<script" * 10_000, ""),
    ],
)
def test_text(text: str, shown: str) -> None:
    """A text has neither HTML nor the receiver, and at most as many characters as openapi.yaml allows."""
    assert shopper_text(text, ("MARIA MODELO", "", "M", "Portaria", "191")) == shown
