-- Rows that refer to each other by more than a number: by one of two columns, by a text with a prefix, by a key in JSON, by
-- an array, by an e-mail address in whatever case.
CREATE TABLE public.orders (
    id bigint PRIMARY KEY, email text, ship_id integer, bill_id integer, tag_ids integer[], meta jsonb, placed date NOT NULL
);
CREATE INDEX ON public.orders (ship_id);
CREATE INDEX ON public.orders (bill_id);
CREATE INDEX ON public.orders (lower(email));
CREATE INDEX ON public.orders ((meta ->> 'agent'));
CREATE INDEX ON public.orders USING gin (tag_ids);
CREATE TABLE public.item (id bigint PRIMARY KEY, order_id bigint, qty integer CHECK (qty > 0), title text);
CREATE INDEX ON public.item (order_id);
CREATE TABLE public.address (id integer PRIMARY KEY, city text);
CREATE TABLE public.tag (id integer PRIMARY KEY, word text);
CREATE TABLE public.agent (id integer PRIMARY KEY, name text);
CREATE TABLE public.member (id integer PRIMARY KEY, email text, name text);
CREATE TABLE public.fee (id bigint PRIMARY KEY, origin text, label text);
CREATE INDEX ON public.fee (origin);
