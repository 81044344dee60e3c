"""What is right, schema by schema, as somebody who knows the shop would write it. Written by hand.

By path of each field that Redo requires: the expressions that are right. Of what isn't here nothing can be told from
names and keys (the currency that isn't stored, which of two prices has tax in it): only a question is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REQUIRED: Final = (
    *("id", "createdAt", "presentmentCurrency", "shopCurrency", "customer.email", "customer.firstName"),
    *("customer.lastName", "shippingAddress.address1", "shippingAddress.city", "shippingAddress.provinceCode"),
    *("shippingAddress.zip", "shippingAddress.countryCode", "lineItems.id", "lineItems.productId", "lineItems.sku"),
    *("lineItems.title", "lineItems.quantity", "lineItems.priceSet", "orderDiscounts", "shippingLines.priceSet"),
    *("fulfillments.lineItems.id", "fulfillments.lineItems.quantity"),
)
"""Fields without which Redo takes no order. `type` and `updatedAt` may be left out of a mapping."""

Truth = Mapping[str, tuple[str, ...]]

_NONE: Final = ("NULL::jsonb",)
"""There is nothing of the kind in the shop."""


def _truth(text: str, **more: tuple[str, ...]) -> Truth:
    """A line a field: the path's end, and what is right, alternatives between bars."""
    found = dict(more)
    for line in text.strip().splitlines():
        path, _, right = line.strip().partition(" = ")
        found[path] = tuple(one.strip() for one in right.split(" | "))
    assert set(found) <= set(REQUIRED)
    return found


TRUTHS: Final[Mapping[str, Truth]] = {
    "demo": _truth("""
        id = o.ord_id::text
        createdAt = o.placed_ts
        presentmentCurrency = o.currency
        shopCurrency = o.currency
        customer.email = c.email_addr
        customer.firstName = c.first_nm
        customer.lastName = c.last_nm
        shippingAddress.address1 = sa.street_1
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa.state_cd
        shippingAddress.zip = sa.zip_cd
        shippingAddress.countryCode = sa.ctry_cd
        lineItems.id = l.ord_id || '-' || l.line_no
        lineItems.productId = l.product_id::text
        lineItems.sku = p.sku
        lineItems.title = p.prod_nm
        lineItems.quantity = l.qty
        lineItems.priceSet = l.unit_price
        shippingLines.priceSet = o.ship_amt
        fulfillments.lineItems.id = pl.ord_id || '-' || pl.line_no
        fulfillments.lineItems.quantity = pl.qty
    """),
    "mapping guide": _truth(
        """
        id = o.ord_no::text
        createdAt = o.ord_dt
        customer.email = c.email_adr
        customer.firstName = c.nm1
        customer.lastName = c.nm2
        shippingAddress.address1 = o.shp_adr
        shippingAddress.city = o.shp_city
        shippingAddress.provinceCode = o.shp_st
        shippingAddress.zip = o.shp_zip
        lineItems.id = l.ord_no || '-' || l.ln_no
        lineItems.productId = l.itm_cd
        lineItems.sku = l.itm_cd
        lineItems.title = l.descr
        lineItems.quantity = l.qty
        lineItems.priceSet = l.unit_prc
        shippingLines.priceSet = o.frt_amt
        fulfillments.lineItems.id = l.ord_no || '-' || l.ln_no
        fulfillments.lineItems.quantity = l.qty
        """,
        orderDiscounts=_NONE,
    ),
    "django_oscar": _truth("""
        id = o.id::text | o.number
        createdAt = o.date_placed
        presentmentCurrency = o.currency
        shopCurrency = o.currency
        customer.email = coalesce(nullif(c.email, ''), o.guest_email)
        customer.firstName = coalesce(nullif(c.first_name, ''), sa.first_name)
        customer.lastName = coalesce(nullif(c.last_name, ''), sa.last_name)
        shippingAddress.address1 = sa.line1
        shippingAddress.city = sa.line4
        shippingAddress.provinceCode = sa.state
        shippingAddress.zip = sa.postcode
        shippingAddress.countryCode = sa.country_id
        lineItems.id = l.id::text
        lineItems.productId = coalesce(l.product_id::text, l.partner_sku)
        lineItems.sku = l.partner_sku
        lineItems.title = l.title
        lineItems.quantity = l.quantity
        lineItems.priceSet = l.unit_price_excl_tax
        shippingLines.priceSet = o.shipping_excl_tax
    """),
    "ruby_shop": _truth("""
        id = o.id::text | o.number
        createdAt = o.completed_at
        presentmentCurrency = o.currency
        shopCurrency = o.currency
        customer.email = o.email
        customer.firstName = sa.firstname
        customer.lastName = sa.lastname
        shippingAddress.address1 = sa.address1
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa_province.abbr
        shippingAddress.zip = sa.zipcode
        shippingAddress.countryCode = sa_country.iso
        lineItems.id = l.id::text
        lineItems.productId = coalesce(p.id::text, v.sku)
        lineItems.sku = v.sku
        lineItems.title = p.name
        lineItems.quantity = l.quantity
        lineItems.priceSet = l.price
        shippingLines.priceSet = o.shipment_total
    """),
    "graph_shop": _truth("""
        id = o.id::text
        createdAt = o.created_at
        presentmentCurrency = o.currency
        shopCurrency = o.currency
        customer.email = o.user_email
        customer.firstName = coalesce(nullif(c.first_name, ''), sa.first_name)
        customer.lastName = coalesce(nullif(c.last_name, ''), sa.last_name)
        shippingAddress.address1 = sa.street_address_1
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa.country_area
        shippingAddress.zip = sa.postal_code
        shippingAddress.countryCode = sa.country
        lineItems.id = l.id::text
        lineItems.productId = coalesce(p.id::text, l.product_sku)
        lineItems.sku = l.product_sku
        lineItems.title = l.product_name
        lineItems.quantity = l.quantity
        lineItems.priceSet = l.undiscounted_unit_price_net_amount
    """),
    "erp": _truth(
        """
        id = o.id::text | o.number
        createdAt = o.sale_date
        shippingAddress.address1 = sa.street
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa_province.code
        shippingAddress.zip = sa.postal_code
        shippingAddress.countryCode = sa_country.code
        lineItems.id = l.id::text
        lineItems.productId = l.product::text
        lineItems.title = l.description
        lineItems.quantity = l.quantity
        lineItems.priceSet = l.unit_price
        """,
        orderDiscounts=_NONE,
    ),
    "cents": _truth(
        """
        id = o.id::text
        createdAt = o.created_at
        presentmentCurrency = o.currency_code
        shopCurrency = o.currency_code
        customer.email = o.email
        customer.firstName = coalesce(nullif(c.first_name, ''), sa.first_name)
        customer.lastName = coalesce(nullif(c.last_name, ''), sa.last_name)
        shippingAddress.address1 = sa.address_1
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa.province
        shippingAddress.zip = sa.postal_code
        shippingAddress.countryCode = sa.country_code
        lineItems.id = replace(l.id, '_', '-')
        lineItems.productId = coalesce(l.product_id::text, l.variant_sku)
        lineItems.sku = l.variant_sku
        lineItems.title = l.title
        lineItems.quantity = l.quantity
        lineItems.priceSet = round(l.unit_price_cents / 100.0, 2)
        shippingLines.priceSet = round(o.shipping_cents / 100.0, 2)
        fulfillments.lineItems.id = replace(pl.line_item_id, '_', '-')
        fulfillments.lineItems.quantity = pl.quantity
        """,
        orderDiscounts=_NONE,
    ),
    "german": _truth(
        """
        id = o.mandant || '-' || o.auftrag_nr
        createdAt = o.auftragsdatum
        presentmentCurrency = o.waehrung
        shopCurrency = o.waehrung
        customer.email = c.email
        customer.firstName = c.vorname
        customer.lastName = c.name
        shippingAddress.address1 = o.liefer_strasse
        shippingAddress.city = o.liefer_ort
        shippingAddress.zip = o.liefer_plz
        shippingAddress.countryCode = o.liefer_land
        lineItems.id = l.mandant || '-' || l.auftrag_nr || '-' || l.pos_nr
        lineItems.productId = l.artnr
        lineItems.sku = l.artnr
        lineItems.title = l.bezeichnung
        lineItems.quantity = l.menge
        lineItems.priceSet = l.einzelpreis_netto
        shippingLines.priceSet = o.versandkosten_netto
        """,
        orderDiscounts=_NONE,
    ),
    "french": _truth(
        """
        id = o."idCommande"::text
        createdAt = o."DateCommande"
        presentmentCurrency = o."Devise"
        shopCurrency = o."Devise"
        customer.email = c."Courriel"
        customer.firstName = c."Prénom"
        customer.lastName = c."Nom"
        shippingAddress.address1 = sa."Rue"
        shippingAddress.city = sa."Ville"
        shippingAddress.zip = sa."CodePostal"
        shippingAddress.countryCode = sa."CodePays"
        lineItems.id = l."idLigne"::text
        lineItems.productId = l."idProduit"::text
        lineItems.sku = p."SKU"
        lineItems.title = p."Désignation"
        lineItems.quantity = l."Quantité"
        """,
        orderDiscounts=_NONE,
    ),
    "spanish": _truth(
        """
        id = o.id_pedido::text
        createdAt = o.fecha
        presentmentCurrency = o.moneda
        shopCurrency = o.moneda
        customer.email = o.correo
        customer.firstName = o.nombre
        customer.lastName = o.apellidos
        shippingAddress.address1 = o.direccion
        shippingAddress.city = o.ciudad
        shippingAddress.provinceCode = o.provincia
        shippingAddress.zip = o.cp
        lineItems.id = l.id_pedido || '-' || l.linea
        lineItems.productId = l.sku
        lineItems.sku = l.sku
        lineItems.title = l.descripcion
        lineItems.quantity = l.cantidad
        lineItems.priceSet = l.precio
        shippingLines.priceSet = o.gastos_envio
        fulfillments.lineItems.id = l.id_pedido || '-' || l.linea
        fulfillments.lineItems.quantity = l.cantidad
        """,
        orderDiscounts=_NONE,
    ),
    "portuguese": _truth("""
        id = o.cd_empresa || '-' || o.nr_pedido
        createdAt = o.dt_pedido
        presentmentCurrency = o.sg_moeda
        shopCurrency = o.sg_moeda
        customer.email = c.ds_email
        shippingAddress.city = o.nm_cidade_entrega
        shippingAddress.provinceCode = o.sg_uf_entrega
        shippingAddress.zip = o.nr_cep_entrega
        shippingAddress.countryCode = o.sg_pais_entrega
        lineItems.id = l.cd_empresa || '-' || l.nr_pedido || '-' || l.nr_seq
        lineItems.productId = l.cd_produto
        lineItems.sku = l.cd_produto
        lineItems.title = p.ds_produto
        lineItems.quantity = l.qt_pedida
        lineItems.priceSet = l.vl_unitario
        shippingLines.priceSet = o.vl_frete
        fulfillments.lineItems.id = l.cd_empresa || '-' || l.nr_pedido || '-' || l.nr_seq
        fulfillments.lineItems.quantity = l.qt_pedida
    """),
    "partitioned": _truth(
        """
        id = o."kAuftrag"::text
        createdAt = o."dErstellt"
        presentmentCurrency = o."cWaehrung"
        shopCurrency = o."cWaehrung"
        customer.email = c."cMail"
        customer.firstName = c."cVorname"
        customer.lastName = c."cNachname"
        shippingAddress.city = sa."cOrt"
        shippingAddress.provinceCode = sa."cBundesland"
        shippingAddress.zip = sa."cPLZ"
        lineItems.id = l."kAuftragPosition"::text
        lineItems.productId = coalesce(l."kArtikel"::text, l."cArtNr")
        lineItems.sku = l."cArtNr"
        lineItems.title = l."cName"
        lineItems.quantity = l."fAnzahl"
        shippingLines.priceSet = o."fVersandkostenNetto"
        """,
        orderDiscounts=_NONE,
    ),
    "purchases": _truth(
        """
        id = o.id::text
        createdAt = o.placed_at
        presentmentCurrency = o.currency
        shopCurrency = o.currency
        customer.email = c.email
        customer.firstName = c.given_name
        customer.lastName = c.family_name
        shippingAddress.address1 = sa.line1
        shippingAddress.city = sa.locality
        shippingAddress.provinceCode = sa.region
        shippingAddress.zip = sa.postal_code
        shippingAddress.countryCode = sa.country
        lineItems.id = l.id::text
        lineItems.productId = coalesce(l.product_id::text, p.sku)
        lineItems.sku = p.sku
        lineItems.title = p.name
        lineItems.quantity = l.quantity
        lineItems.priceSet = round(l.unit_price_minor / 100.0, 2)
        shippingLines.priceSet = round(o.shipping_minor / 100.0, 2)
        fulfillments.lineItems.id = pl.purchase_line_id::text
        fulfillments.lineItems.quantity = pl.quantity
        """,
        orderDiscounts=_NONE,
    ),
    "partners": _truth(
        """
        id = o.id::text
        createdAt = o.date_order
        customer.email = c.email
        shippingAddress.address1 = sa.street
        shippingAddress.city = sa.city
        shippingAddress.provinceCode = sa_province.code
        shippingAddress.zip = sa.zip
        shippingAddress.countryCode = sa_country.code
        lineItems.id = l.id::text
        lineItems.productId = l.product_id::text
        lineItems.title = l.name
        lineItems.priceSet = l.price_unit
        """,
        orderDiscounts=_NONE,
    ),
    "two_hundred_columns": _truth(
        """
        id = o.cod_emp || '-' || o.num_ped
        createdAt = o.fec_ped
        customer.email = o.email
        shippingAddress.address1 = o.dir_env
        shippingAddress.city = o.pob_env
        shippingAddress.provinceCode = o.prov_env
        shippingAddress.zip = o.cp_env
        shippingAddress.countryCode = o.pais_env
        lineItems.id = replace(l.cod_emp, '_', '-') || '-' || replace(l.num_ped, '_', '-') || '-' || l.num_lin
        lineItems.productId = l.cod_art
        lineItems.sku = l.cod_art
        lineItems.quantity = l.can_ped
        shippingLines.priceSet = o.imp_portes
        """,
        orderDiscounts=_NONE,
    ),
    "italian": _truth(
        """
        id = o.idordine::text
        createdAt = o.dataordine
        presentmentCurrency = o.valuta
        shopCurrency = o.valuta
        customer.email = o.emailcliente
        customer.firstName = c.nome
        customer.lastName = c.cognome
        shippingAddress.address1 = o.indirizzospedizione
        shippingAddress.city = o.cittaspedizione
        shippingAddress.provinceCode = o.provinciaspedizione
        shippingAddress.zip = o.capspedizione
        shippingAddress.countryCode = o.nazionespedizione
        lineItems.id = l.idordine || '-' || l.riga
        lineItems.productId = l.codarticolo
        lineItems.sku = l.codarticolo
        lineItems.title = l.descrizione
        lineItems.quantity = l.quantita
        lineItems.priceSet = l.prezzounitario
        shippingLines.priceSet = o.spesespedizione
        fulfillments.lineItems.id = l.idordine || '-' || l.riga
        fulfillments.lineItems.quantity = l.quantita
        """,
        orderDiscounts=_NONE,
    ),
    "traps": _truth("""
        id = o.id::text
        shippingAddress.city = sa.city
        lineItems.id = l.id::text
        lineItems.productId = l.goods_id::text
        lineItems.quantity = l.qty_ordered
        fulfillments.lineItems.id = pl.sales_order_line_id::text
        fulfillments.lineItems.quantity = pl.qty
    """),
    "legacy world": _truth("""
        id = o.order_id::text
        createdAt = o.placed
        lineItems.id = l.item_id::text
        lineItems.productId = l.sku
        lineItems.sku = l.sku
        lineItems.title = p.title
        lineItems.quantity = l.qty
        lineItems.priceSet = l.price
    """),
    "mixed world": _truth(
        """
        id = o.region || '-' || o."No"
        createdAt = o."placedAt"
        lineItems.id = l."lineId"::text
        lineItems.productId = l.sku
        lineItems.sku = l.sku
        lineItems.title = p."Title"
        lineItems.quantity = l."Qty"
        lineItems.priceSet = l.price
        shippingLines.priceSet = o."shipFee"
        """,
        orderDiscounts=_NONE,
    ),
    "parts world": _truth(
        """
        id = o.id::text
        createdAt = o.placed
        lineItems.id = l.id || '-' || replace(l.kind, '_', '-')
        lineItems.title = l.title
        lineItems.quantity = l.qty
        lineItems.priceSet = l.price
        """,
        orderDiscounts=_NONE,
    ),
    "mappings": _truth(
        """
        id = o.id::text
        createdAt = o.placed
        lineItems.id = l.order_id || '-' || l.line
        lineItems.productId = l.product_id::text
        lineItems.title = p.name
        lineItems.quantity = l.qty
        lineItems.priceSet = l.price
        """,
        orderDiscounts=_NONE,
    ),
    "command line": _truth(
        """
        id = o.id::text
        customer.email = o.email
        lineItems.id = l.order_id || '-' || l.line
        lineItems.productId = l.sku
        lineItems.sku = l.sku
        lineItems.quantity = l.qty
        """,
        orderDiscounts=_NONE,
    ),
    "altered": _truth(
        """
        id = o.id::text
        lineItems.id = l.id::text
        lineItems.productId = l.sku
        lineItems.sku = l.sku
        lineItems.quantity = l.qty
        lineItems.priceSet = l.price
        """,
        orderDiscounts=_NONE,
    ),
}
