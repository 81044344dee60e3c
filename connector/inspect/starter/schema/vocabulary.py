"""What words in the names of tables and columns mean: concepts, by the words of seven languages and their usual
abbreviations. Words are lower-case, without accents, in the singular where that is regular.
"""

from __future__ import annotations

from typing import Final

# Of tables.
_TABLES: Final = {
    "order": (
        "order ord ped sale auftrag auftraege bestellung bestell commande cde pedido orden ordine bestelling"
        " encomenda ordini"
    ),
    "header": "header head hdr kopf entete cabecera testata kop cabecalho hd cab",
    "line": (
        "line item dtl detail det detalle pos position posten zeile ligne linea riga righe regel linha lin itm entry"
    ),
    "customer": (
        "customer cust client buyer shopper kunde kunden kd cliente clienti cli klant user account member"
        " patron partner party contact contatto contacto kontakt"
    ),
    "address": "address addr adr adresse anschrift direccion indirizzo indirizzi adres adressen endereco morada dir",
    "parcel": (
        "shipment parcel fulfillment fulfilment package paket sendung lieferung colis expedition envio spedizione"
        " spedizioni zending remessa despatch dispatch alb albaran picking lieferschein bordereau ddt"
    ),
    "refund": (
        "refund credit crd gutschrift remboursement avoir reembolso rimborso terugbetaling devolucion devolucao abono"
    ),
    "payment": "payment pay pymt zahlung paiement pago pagamento betaling transaction",
    "product": "product prod article artikel art produit producto prodotto prodotti produto articulo articolo ware",
    "variant": "variant variante variante varianten",
    "country": "country ctry land laender pays pais paese paesi nation nazione countrie",
    "province": (
        "state province region bundesland provincia provincie departement estado uf prov county st territory"
        " subdivision"
    ),
    "discount": (
        "discount disc promo promotion rabatt remise descuento sconto korting desconto voucher coupon"
        " adjustment offer dto dcto"
    ),
    "tax": "tax vat mwst ust steuer tva iva btw imposto impuesto imposta taxe belasting aliquota",
    "purchase": "purchase compra achat acquisto inkoop",
    "supplier": "supplier vendor procurement einkauf lieferant fournisseur proveedor fornecedor fornitore leverancier",
    "cart": "cart basket warenkorb panier carrito carrello winkelwagen carrinho quote draft",
}

# Of columns, beside those above.
_COLUMNS: Final = {
    "ship": "ship shp env shipping versand verzend verzending envio spedizione expedition recipient",
    "deliver": "delivery deliver dlvr liefer livraison livr entrega consegna levering bezorg",
    "bill": "bill fac billing invoice inv rechnung rech facturation facture facturacion fatturazione fattura factuur",
    "email": "email mail emailaddress courriel correo epost",
    "given": "first given fname firstname vorname prenom voornaam forename",
    "family": (
        "last family lname lastname surname nachname familienname apellido cognome achternaam sobrenome"
        " apelido nachn ape"
    ),
    "name": "name nm nom nombre nome naam fullname",
    "phone": "phone tel telephone telefon mobile telefono telefoon telefone celular handy tlf",
    "street": "street strasse str rue calle via straat rua domicilio strase streetaddress",
    "city": (
        "city town ort stadt ville ciudad citta plaats cidade localidad comune stad woonplaats municipio"
        " suburb pob poblacion localita"
    ),
    "zip": "zip postcode postal postalcode zipcode plz cp cap cep postleitzahl codpostal codigopostal codepostal",
    "company": "company firma societe empresa azienda bedrijf organisation organization",
    "quantity": "qty qt quantity menge anzahl qte quantite cantidad cant quantita qta aantal quantidade qtd quant",
    "price": "price prc preis prix precio prezzo prijs preco",
    "unit": "unit einzel unitaire unitario stuk each stueck",
    "amount": "amount amt vl imp betrag montant importe importo bedrag valor value sum summe subtotal",
    "total": "total gesamt totale totaal extended ext line_total grand",
    "charge": "charge fee cost kosten gebuehr frais gasto gastos spese spesa custo rate",
    "freight": (
        "freight frt portes versandkosten fracht porto fraisport verzendkosten frete gastosenvio"
        " spesespedizione shippingcost"
    ),
    "net": "net netto excl excluding nett ht neto exvat hors sin",
    "gross": "gross brutto incl including ttc bruto lordo inc incvat",
    "title": (
        "title descr description desc bezeichnung titel libelle designation descripcion descrizione omschrijving"
        " descricao bez ds"
    ),
    "sku": "sku artnr artikelnr artno itemno partno ean articlenumber artikelnummer productcode itemcode",
    "currency": "currency curr cur waehrung devise moneda valuta moeda divisa currencycode",
    "placed": (
        "placed ordered completed orderdate bestelldatum auftragsdatum bestellt datecommande passee fechapedido"
        " dataordine besteldatum datapedido finalized submitted pedida"
    ),
    "created": "created creation erstellt angelegt cree creado creato aangemaakt criado inserted entered added",
    "changed": (
        "updated modified changed chg upd geaendert modifie modificado modificato gewijzigd alterado"
        " alteracao alteracion modificacion modifica update"
    ),
    "date": (
        "date dt datum fecha fec data ts at time day timestamp tm datetime stamp on datumzeit zeit heure hora ora when"
    ),
    "shipped": "shipped dispatched sent versendet verschickt versandt expedie enviado spedito verzonden despatched",
    "delivered": "delivered dlv zugestellt geliefert livre entregado consegnato geleverd entregue arrived received",
    "cancel": (
        "cancel cancelamento cancelacion anulacion anul annullamento canceled cancelled cancellation cxl"
        " storno storniert annule annulation cancelado annullato geannuleerd"
        " void voided anulado cancelada cancelled"
    ),
    "status": "status stat state zustand statut estado stato toestand situacao etat",
    "tracking": "track tracking trk sendungsnummer suivi seguimiento tracciamento rastreio trackingnumber",
    "carrier": "carrier spediteur transporteur transportista corriere vervoerder transportadora courier shipper",
    "guest": "guest gast anonymous invite",
    "number": "no nr num number nummer numero nro",
    "key": "id key code cd cod codigo codice sg uuid guid pk ref",
    "iso": "iso iso2 alpha2 isocode",
    "house": "house hausnr hausnummer huisnummer civico housenumber numerocivico",
    "abbr": "abbr abbreviation",
    "deleted": "deleted geloescht supprime eliminado verwijderd removed",
    "cents": "cent cents minor pence centime centavos",
    "other": (
        "due paid payed expected requested planned estimated approved exported expiry printed closed opened"
        " confirmed picked packed read seen"
    ),
    "coverage": "coverage cover covered protection redo",
    "prior": "old original previous undiscounted base list compare min max historical",
}

WORDS: Final = {
    word: concept for group in (_COLUMNS, _TABLES) for concept, words in group.items() for word in words.split()
}
"""A word that has a meaning in both groups has the tables' here: `meanings` knows the other."""

SECOND: Final = {
    word: concept for concept, words in _COLUMNS.items() for word in words.split() if WORDS[word] != concept
}
"""What else it means: `estado` is a status as well as a province."""

_NOISE: Final = "tbl tb tab t the a of m mst master de des du la le di da del dos das der die den het und"
NOISE: Final = frozenset(_NOISE.split())
