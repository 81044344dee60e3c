-- German, quoted mixed case, abbreviations, orders in a partitioned table (by date), declared and undeclared keys.
CREATE SCHEMA "WaWi";
CREATE TABLE "WaWi"."tKunde" ("kKunde" int PRIMARY KEY, "cKundenNr" varchar(20), "cVorname" varchar(50), "cNachname" varchar(50), "cMail" varchar(120), "cTel" varchar(30));
CREATE TABLE "WaWi"."tAdresse" ("kAdresse" int PRIMARY KEY, "kKunde" int, "cVorname" varchar(50), "cNachname" varchar(50), "cStrasse" varchar(80), "cHausNr" varchar(10), "cPLZ" varchar(10), "cOrt" varchar(60), "cBundesland" varchar(40), "cISO" char(2), "nTyp" smallint);
CREATE TABLE "WaWi"."tAuftrag" ("kAuftrag" bigint, "dErstellt" timestamptz NOT NULL, "cAuftragNr" varchar(20) NOT NULL, "kKunde" int NOT NULL, "kLieferAdresse" int, "kRechnungsAdresse" int, "cWaehrung" char(3) NOT NULL, "fVersandkostenNetto" numeric(12,4), "dStorniert" timestamptz, "nStatus" smallint, "dVersandt" timestamptz, PRIMARY KEY ("kAuftrag", "dErstellt")) PARTITION BY RANGE ("dErstellt");
CREATE TABLE "WaWi"."tAuftrag_2025" PARTITION OF "WaWi"."tAuftrag" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "WaWi"."tAuftrag_2026" PARTITION OF "WaWi"."tAuftrag" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE "WaWi"."tAuftragPosition" ("kAuftragPosition" bigint PRIMARY KEY, "kAuftrag" bigint NOT NULL, "kArtikel" int, "cArtNr" varchar(30), "cName" varchar(120), "fAnzahl" numeric(12,4) NOT NULL, "fVkNetto" numeric(12,4), "fMwSt" numeric(5,2), "fRabatt" numeric(5,2));
CREATE INDEX ON "WaWi"."tAuftragPosition" ("kAuftrag");
CREATE TABLE "WaWi"."tArtikel" ("kArtikel" int PRIMARY KEY, "cArtNr" varchar(30), "cName" varchar(120), "fEKNetto" numeric);
CREATE TABLE "WaWi"."tLieferantenBestellung" ("kLieferantenBestellung" int PRIMARY KEY, "kLieferant" int, "dErstellt" timestamptz, "cWaehrungISO" char(3));
CREATE TABLE "WaWi"."tLieferantenBestellungPos" ("kLieferantenBestellungPos" int PRIMARY KEY, "kLieferantenBestellung" int, "kArtikel" int, "fMenge" numeric);
CREATE TABLE "WaWi"."tLieferschein" ("kLieferschein" int PRIMARY KEY, "kAuftrag" bigint, "cLieferscheinNr" varchar(20), "dErstellt" timestamptz);
CREATE TABLE "WaWi"."tLieferscheinPos" ("kLieferscheinPos" int PRIMARY KEY, "kLieferschein" int, "kAuftragPosition" bigint, "fAnzahl" numeric);
