-- Group states: what levels of TVIEWs' queries that aggregate a table are computed of, kept by what has changed. Which
-- there are is written with the TVIEW's lineage, the rest by the applier in its batches.
CREATE TABLE tviews_internal.pg_tview_group_state (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tview       regclass NOT NULL,
    source      regclass NOT NULL,            -- the table that is aggregated, the first where several are joined
    level       text NOT NULL,                -- which level of the query it is, for people
    key_type    regtype NOT NULL,             -- which of the tables below holds its rows
    sums        smallint NOT NULL,            -- how many its rows have
    extremes    smallint NOT NULL,            -- likewise
    spec        text NOT NULL,                -- the query of its rows, of named rows of `source`
    body        text NOT NULL,                -- the same, of named rows of every table
    places      text NOT NULL,                -- the columns that it has after k, c, n, p and m
    merged      text NOT NULL,                -- m of a row to which another is added, if it has extremes
    renewed     text NOT NULL,                -- m of a row, with what is doubtful found anew
    added       text NOT NULL,                -- what of `body` is a sum
    valued      text NOT NULL,                -- the query of distinct values, if they are counted
    counted     text NOT NULL                 -- the rows that count them, of values that come and go
);
COMMENT ON TABLE tviews_internal.pg_tview_group_state IS 'group states of TVIEWs; readers use the view pg_tviews_group_states';
COMMENT ON SEQUENCE tviews_internal.pg_tview_group_state_id_seq IS 'numbers of group states';

-- The tables that they are made of, in the order of the query.
CREATE TABLE tviews_internal.pg_tview_group_source (
    state       integer NOT NULL,
    source      regclass NOT NULL,
    place       smallint NOT NULL,
    columns     smallint[] NOT NULL,          -- attribute numbers that change records count
    PRIMARY KEY (state, place)
);
CREATE INDEX pg_tview_group_source_source ON tviews_internal.pg_tview_group_source (source);
COMMENT ON TABLE tviews_internal.pg_tview_group_source IS 'tables that group states are made of';

-- Those whose rows are right, as of the frontier. One that is not here is not read, and built anew when it is needed.
-- Nobody but the applier writes here, so it waits for no session.
CREATE TABLE tviews_internal.pg_tview_group_built (
    state       integer PRIMARY KEY,
    fingerprint text NOT NULL,                -- of the source, when it was built
    built_at    timestamptz NOT NULL
);
COMMENT ON TABLE tviews_internal.pg_tview_group_built IS 'group states that may be read';

-- Their rows: the key, classes of values that are kept apart, how many rows of the source it stands for, sums, and
-- extremes: each has its text and a mark where it is doubtful. No key identifies them for a publication FOR ALL TABLES.
CREATE TABLE tviews_internal.pg_tview_groups_int4 (
    state integer NOT NULL,
    k     integer,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL,
    m     text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_int4_key ON tviews_internal.pg_tview_groups_int4 (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_int4 REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_int4 IS 'group states by a column of type integer, and those of whole tables';

CREATE TABLE tviews_internal.pg_tview_groups_int8 (
    state integer NOT NULL,
    k     bigint,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL,
    m     text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_int8_key ON tviews_internal.pg_tview_groups_int8 (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_int8 REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_int8 IS 'group states by a column of type bigint';

CREATE TABLE tviews_internal.pg_tview_groups_uuid (
    state integer NOT NULL,
    k     uuid,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL,
    m     text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_uuid_key ON tviews_internal.pg_tview_groups_uuid (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_uuid REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_uuid IS 'group states by a column of type uuid';

CREATE TABLE tviews_internal.pg_tview_groups_text (
    state integer NOT NULL,
    k     text,
    c     integer[] NOT NULL,
    n     bigint NOT NULL,
    p     numeric[] NOT NULL,
    m     text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_text_key ON tviews_internal.pg_tview_groups_text (state, k, c) NULLS NOT DISTINCT;
ALTER TABLE tviews_internal.pg_tview_groups_text REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_text IS 'group states by a column of type text';

-- Groups by several columns, and by one of another type: the key is their texts, which depend on no setting, and each is in
-- a column of its type besides. Under the negative number of a state are the distinct values that it counts: the group's
-- texts, which count it is, the value; n says how often it is there.
CREATE TABLE tviews_internal.pg_tview_groups_keys (
    state         integer NOT NULL,
    k             text[] NOT NULL,
    c             integer[] NOT NULL,
    n             bigint NOT NULL,
    p             numeric[] NOT NULL,
    m             text[] NOT NULL DEFAULT '{}',
    int4_1        integer,
    int4_2        integer,
    int4_3        integer,
    int8_1        bigint,
    int8_2        bigint,
    int8_3        bigint,
    text_1        text,
    text_2        text,
    text_3        text,
    uuid_1        uuid,
    uuid_2        uuid,
    date_1        date,
    date_2        date,
    int2_1        smallint,
    int2_2        smallint,
    bool_1        boolean,
    bool_2        boolean,
    timestamp_1   timestamp,
    timestamptz_1 timestamptz,
    numeric_1     numeric
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX pg_tview_groups_keys_key ON tviews_internal.pg_tview_groups_keys (state, k, c);
CREATE INDEX pg_tview_groups_keys_int4_1 ON tviews_internal.pg_tview_groups_keys (state, int4_1) WHERE int4_1 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_int4_2 ON tviews_internal.pg_tview_groups_keys (state, int4_2) WHERE int4_2 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_int8_1 ON tviews_internal.pg_tview_groups_keys (state, int8_1) WHERE int8_1 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_int8_2 ON tviews_internal.pg_tview_groups_keys (state, int8_2) WHERE int8_2 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_text_1 ON tviews_internal.pg_tview_groups_keys (state, text_1) WHERE text_1 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_text_2 ON tviews_internal.pg_tview_groups_keys (state, text_2) WHERE text_2 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_uuid_1 ON tviews_internal.pg_tview_groups_keys (state, uuid_1) WHERE uuid_1 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_uuid_2 ON tviews_internal.pg_tview_groups_keys (state, uuid_2) WHERE uuid_2 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_date_1 ON tviews_internal.pg_tview_groups_keys (state, date_1) WHERE date_1 IS NOT NULL;
CREATE INDEX pg_tview_groups_keys_timestamptz_1 ON tviews_internal.pg_tview_groups_keys (state, timestamptz_1) WHERE timestamptz_1 IS NOT NULL;
ALTER TABLE tviews_internal.pg_tview_groups_keys REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_groups_keys IS 'group states by several columns, or by one of another type';
