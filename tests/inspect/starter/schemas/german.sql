-- A shop of 1998 in German: a prefix that says nothing, abbreviations, keys of two columns, no foreign keys.
CREATE SCHEMA wawi;
CREATE TABLE wawi.t_kunden (
    kd_nr integer PRIMARY KEY, anrede varchar(10), vorname varchar(40), name varchar(60) NOT NULL, email varchar(120),
    telefon varchar(30), kreditlimit numeric(10, 2)
);
CREATE TABLE wawi.t_artikel (
    artnr varchar(20) PRIMARY KEY, bezeichnung varchar(80) NOT NULL, ek_preis numeric(10, 2), gewicht numeric(8, 3)
);
CREATE TABLE wawi.t_auftragskopf (
    mandant smallint NOT NULL, auftrag_nr integer NOT NULL, kd_nr integer NOT NULL, auftragsdatum timestamp NOT NULL,
    geaendert timestamp, storniert_am timestamp, waehrung char(3) NOT NULL, liefer_strasse varchar(80),
    liefer_plz varchar(10), liefer_ort varchar(60), liefer_land char(2), rech_strasse varchar(80), rech_plz varchar(10),
    rech_ort varchar(60), rech_land char(2), versandkosten_netto numeric(10, 2), versandkosten_brutto numeric(10, 2),
    PRIMARY KEY (mandant, auftrag_nr)
);
CREATE TABLE wawi.t_auftragspos (
    mandant smallint NOT NULL, auftrag_nr integer NOT NULL, pos_nr integer NOT NULL, artnr varchar(20) NOT NULL,
    bezeichnung varchar(80) NOT NULL, menge integer NOT NULL, einzelpreis_netto numeric(10, 2) NOT NULL,
    einzelpreis_brutto numeric(10, 2) NOT NULL, gesamtpreis numeric(10, 2), PRIMARY KEY (mandant, auftrag_nr, pos_nr)
);
CREATE TABLE wawi.t_einkauf_bestellung (best_nr integer PRIMARY KEY, lieferant integer, bestelldatum date);
CREATE TABLE wawi.t_angebot (angebot_nr integer PRIMARY KEY, kd_nr integer, datum timestamp);
