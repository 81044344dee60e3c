-- A French shop: accents, quoted names in capitals, addresses in a table of their own, prices with tax only.
CREATE TABLE "Clients" (
    "idClient" bigint PRIMARY KEY, "Prénom" varchar(60) NOT NULL, "Nom" varchar(60) NOT NULL, "Courriel" varchar(120) NOT NULL
);
CREATE TABLE "Adresses" (
    "idAdresse" bigint PRIMARY KEY, "idClient" bigint REFERENCES "Clients", "Rue" varchar(120), "Complément" varchar(120),
    "CodePostal" varchar(10), "Ville" varchar(60), "CodePays" char(2)
);
CREATE TABLE "Produits" ("idProduit" bigint PRIMARY KEY, "Référence" varchar(30), "SKU" varchar(30), "Désignation" varchar(120));
CREATE TABLE "Commandes" (
    "idCommande" bigint PRIMARY KEY, "idClient" bigint NOT NULL REFERENCES "Clients",
    "idAdresseLivraison" bigint REFERENCES "Adresses", "idAdresseFacturation" bigint REFERENCES "Adresses",
    "DateCommande" timestamptz NOT NULL, "Devise" char(3) NOT NULL, "FraisPortTTC" numeric(10, 2)
);
CREATE TABLE "LignesCommande" (
    "idLigne" bigint PRIMARY KEY, "idCommande" bigint NOT NULL REFERENCES "Commandes",
    "idProduit" bigint NOT NULL REFERENCES "Produits", "Quantité" integer NOT NULL, "PrixUnitaireTTC" numeric(10, 2) NOT NULL
);
CREATE TABLE "StatutsCommande" ("idStatut" bigint PRIMARY KEY, "Libellé" varchar(40));
