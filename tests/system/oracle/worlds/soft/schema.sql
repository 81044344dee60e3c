-- Rows that are flagged instead of deleted, with partial indexes, and adjustments that belong to one of several tables.
CREATE TYPE public.offer_state AS ENUM ('draft', 'live', 'over');
CREATE TABLE public.orders (
    id bigint PRIMARY KEY, kind text NOT NULL, buyer text, placed date NOT NULL, deleted_at timestamp
);
CREATE TABLE public.item (
    id bigint PRIMARY KEY, order_id bigint, offer_id integer, title text, qty integer CHECK (qty > 0), shown boolean NOT NULL,
    deleted_at timestamp
);
CREATE INDEX ON public.item (order_id) WHERE deleted_at IS NULL;
CREATE INDEX ON public.item (offer_id) WHERE deleted_at IS NULL AND shown;
CREATE TABLE public.offer (id integer PRIMARY KEY, label text, state public.offer_state NOT NULL, deleted_at timestamp);
CREATE TABLE public.adjustment (id bigint PRIMARY KEY, source_id bigint, source_type varchar(20), label text);
CREATE INDEX ON public.adjustment (source_id) WHERE source_type = 'Shop::Order';
CREATE INDEX ON public.adjustment (source_id) WHERE source_type = 'Shop::Item';
CREATE TABLE public.note (order_id bigint, line integer, kind text, body text, PRIMARY KEY (order_id, line, kind));
CREATE TABLE public.tag (id bigint PRIMARY KEY, order_id bigint, word text, removed boolean);
ALTER TABLE public.tag REPLICA IDENTITY FULL;
CREATE VIEW public.live_item AS SELECT * FROM public.item WHERE deleted_at IS NULL AND shown;
CREATE VIEW public.live_offer AS SELECT id, label FROM public.offer WHERE deleted_at IS NULL AND state IN ('live', 'over');
