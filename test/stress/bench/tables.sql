-- 100,000 items of 1,000 owners; the same tables with and without TVIEWs.
CREATE TABLE tb_owner (
  pk_owner bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), name text NOT NULL);
CREATE TABLE tb_item (
  pk_item bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
  fk_owner bigint NOT NULL REFERENCES tb_owner, title text NOT NULL, amount int NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX ON tb_item (fk_owner);
INSERT INTO tb_owner SELECT i, gen_random_uuid(), 'owner ' || i FROM generate_series(1, 1000) i;
INSERT INTO tb_item SELECT i, gen_random_uuid(), i % 1000 + 1, 'item number ' || i, 0 FROM generate_series(1, 100000) i;
CREATE VIEW documents AS
SELECT i.pk_item, i.id, i.fk_owner,
       jsonb_build_object('id', i.id, 'title', i.title, 'amount', i.amount,
                          'owner', jsonb_build_object('id', o.id, 'name', o.name)) AS data
FROM tb_item i JOIN tb_owner o ON o.pk_owner = i.fk_owner;
