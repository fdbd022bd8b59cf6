-- Each statement creates a TVIEW: a table that stays equal to its query.
CREATE TABLE tv_maintainer AS
SELECT m.pk_maintainer, m.id,
       jsonb_build_object(
         'id', m.id, 'name', m.name, 'email', m.email,
         'packages', (SELECT count(*) FROM tb_package p WHERE p.fk_maintainer = m.pk_maintainer)) AS data
FROM tb_maintainer m;

CREATE TABLE tv_section AS
SELECT s.pk_section, s.id,
       jsonb_build_object(
         'id', s.id, 'name', s.name,
         'packages', (SELECT count(*) FROM tb_package p WHERE p.fk_section = s.pk_section)) AS data
FROM tb_section s;

CREATE TABLE tv_package AS
SELECT p.pk_package, p.id, p.fk_maintainer, p.fk_section,
       jsonb_build_object(
         'id', p.id, 'name', p.name, 'version', p.version, 'architecture', p.architecture,
         'priority', p.priority, 'installed_size', p.installed_size,
         'download_size', p.download_size, 'homepage', p.homepage, 'description', p.description,
         'maintainer', jsonb_build_object('id', m.id, 'name', m.name, 'email', m.email),
         'section', jsonb_build_object('id', s.id, 'name', s.name),
         'dependencies', COALESCE((
           SELECT jsonb_agg(jsonb_build_object('package', t.name, 'kind', d.kind,
                                               'group', d.group_number,
                                               'version', d.version_constraint)
                            ORDER BY d.kind, d.group_number, d.alternative, d.pk_dependency)
           FROM tb_dependency d
           JOIN tb_package t ON t.pk_package = d.fk_target
           WHERE d.fk_package = p.pk_package), '[]')) AS data
FROM tb_package p
JOIN tb_maintainer m ON m.pk_maintainer = p.fk_maintainer
JOIN tb_section s ON s.pk_section = p.fk_section;
