-- Group states: what levels of TVIEWs' queries that aggregate a table are computed of, kept by what has changed. Which
-- there are is written with the TVIEW's lineage, the rest by the applier in its batches.
CREATE TABLE tviews_internal.pg_tview_group_state (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tview       regclass NOT NULL,
    source      regclass NOT NULL,            -- the table that is aggregated
    level       text NOT NULL,                -- which level of the query it is, for people
    key_type    regtype NOT NULL,             -- which of the tables below holds its rows
    columns     smallint[] NOT NULL,          -- attribute numbers that change records count
    sums        smallint NOT NULL,            -- how many its rows have
    spec        text NOT NULL                 -- the query of its rows
);
CREATE INDEX pg_tview_group_state_source ON tviews_internal.pg_tview_group_state (source);
COMMENT ON TABLE tviews_internal.pg_tview_group_state IS 'group states of TVIEWs; readers use the view pg_tviews_group_states';
COMMENT ON SEQUENCE tviews_internal.pg_tview_group_state_id_seq IS 'numbers of group states';

-- Those whose rows are right, as of the frontier. One that is not here is not read, and built anew when it is needed.
-- Nobody but the applier writes here, so it waits for no session.
CREATE TABLE tviews_internal.pg_tview_group_built (
    state       integer PRIMARY KEY,
    fingerprint text NOT NULL,                -- of the source, when it was built
    built_at    timestamptz NOT NULL
);
COMMENT ON TABLE tviews_internal.pg_tview_group_built IS 'group states that may be read';

-- Their rows: the key, classes of values that are kept apart, how many rows of the source it stands for, and sums. No
-- key identifies them for a publication FOR ALL TABLES.
CREATE TABLE tviews_internal.pg_tview_groups_int4 (
    state integer NOT NULL,
    k     integer,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_int4_key ON tviews_internal.pg_tview_groups_int4 (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_int4 REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_int4 IS 'group states by a column of type integer, and those of whole tables';

CREATE TABLE tviews_internal.pg_tview_groups_int8 (
    state integer NOT NULL,
    k     bigint,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_int8_key ON tviews_internal.pg_tview_groups_int8 (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_int8 REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_int8 IS 'group states by a column of type bigint';

CREATE TABLE tviews_internal.pg_tview_groups_uuid (
    state integer NOT NULL,
    k     uuid,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_uuid_key ON tviews_internal.pg_tview_groups_uuid (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_uuid REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_uuid IS 'group states by a column of type uuid';

CREATE TABLE tviews_internal.pg_tview_groups_text (
    state integer NOT NULL,
    k     text,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_text_key ON tviews_internal.pg_tview_groups_text (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_text REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_text IS 'group states by a column of type text';
