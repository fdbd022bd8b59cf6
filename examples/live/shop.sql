-- A shop whose products several sellers sell. Run it once, in a database that has pg_tviews.
CREATE TABLE seller (id int PRIMARY KEY, name text NOT NULL, role name NOT NULL);
CREATE TABLE product (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seller_id int NOT NULL REFERENCES seller,
    name text NOT NULL,
    cents int NOT NULL,
    is_public boolean NOT NULL DEFAULT true
);
CREATE INDEX ON product (seller_id);
INSERT INTO seller VALUES (1, 'Ann', 'seller_ann'), (2, 'Bob', 'seller_bob');

CREATE TABLE tv_product WITH (pg_tviews.feed = keys, pg_tviews.notify = on) AS
SELECT product.id, product.is_public, seller.role,
       jsonb_build_object('id', product.id, 'name', product.name, 'cents', product.cents, 'seller', seller.name) AS data
FROM product JOIN seller ON seller.id = product.seller_id;

-- Who sees what: everybody what is public, a seller also what he has not published yet. The gateway reads this view as the
-- role of whoever is connected.
CREATE VIEW my_product WITH (security_barrier) AS
SELECT tv_product.id, tv_product.data FROM tv_product
WHERE tv_product.is_public OR tv_product.role = current_user;

CREATE ROLE visitor;
CREATE ROLE seller_ann;
CREATE ROLE seller_bob;
GRANT SELECT ON my_product TO visitor, seller_ann, seller_bob;
-- The gateway knows which documents change, and acts for others; nothing else is its own.
CREATE ROLE gateway LOGIN NOINHERIT IN ROLE visitor, seller_ann, seller_bob;
GRANT SELECT ON tv_product TO gateway;
