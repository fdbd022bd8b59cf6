-- After the load: unique names and identifiers, foreign keys and their indexes.
ALTER TABLE tb_maintainer ADD UNIQUE (id);
ALTER TABLE tb_section ADD UNIQUE (id), ADD UNIQUE (name);
ALTER TABLE tb_package ADD UNIQUE (id), ADD UNIQUE (name),
  ADD FOREIGN KEY (fk_maintainer) REFERENCES tb_maintainer,
  ADD FOREIGN KEY (fk_section) REFERENCES tb_section;
CREATE INDEX ON tb_package (fk_maintainer);
CREATE INDEX ON tb_package (fk_section);
ALTER TABLE tb_dependency ADD UNIQUE (id),
  ADD FOREIGN KEY (fk_package) REFERENCES tb_package ON DELETE CASCADE,
  ADD FOREIGN KEY (fk_target) REFERENCES tb_package ON DELETE CASCADE;
CREATE INDEX ON tb_dependency (fk_package);
CREATE INDEX ON tb_dependency (fk_target);
-- The loaded rows brought their own keys: later ones continue after them.
SELECT setval(pg_get_serial_sequence('tb_maintainer', 'pk_maintainer'), max(tb_maintainer.pk_maintainer)) FROM tb_maintainer;
SELECT setval(pg_get_serial_sequence('tb_section', 'pk_section'), max(tb_section.pk_section)) FROM tb_section;
SELECT setval(pg_get_serial_sequence('tb_package', 'pk_package'), max(tb_package.pk_package)) FROM tb_package;
SELECT setval(pg_get_serial_sequence('tb_dependency', 'pk_dependency'), max(tb_dependency.pk_dependency)) FROM tb_dependency;
VACUUM ANALYZE;
