{#- A model as a TVIEW. What changes with the model's sources is the applier's work; a run brings what changes with the model. -#}
{% materialization tview, adapter='postgres' %}
  {%- set relation = this.incorporate(type='table') -%}
  {%- set existing = load_cached_relation(this) -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set extension = pg_tviews.extension_schema() -%}
  {#- The cache knows nothing of what another model's DROP ... CASCADE has taken with it. -#}
  {%- set tview = pg_tviews.find(extension, relation) -%}
  {%- if config.get('contract').enforced %}{% do get_assert_columns_equivalent(sql) %}{% endif -%}
  {%- if tview is none -%}
    {%- set outcome = 'created' -%}
    {%- call statement('change') %}{{ pg_tviews.make_way(relation, existing) }}{{ pg_tviews.create(relation, sql) }}{% endcall -%}
  {%- elif tview['definition'] | trim == sql | trim and pg_tviews.is_as_configured(tview) and not should_full_refresh() -%}
    {%- set outcome = 'unchanged' -%}
  {%- elif not should_full_refresh() and pg_tviews.is_as_configured(tview) and pg_tviews.try_replace(extension, tview, sql) -%}
    {%- set outcome = 'replaced' -%}
  {%- else -%}
    {%- set outcome = 'created anew' -%}
    {%- call statement('change') %}{{ pg_tviews.create_anew(extension, relation, sql) }}{% endcall -%}
  {%- endif -%}
  {%- do store_raw_result(name='main', message=outcome, code='TVIEW', rows_affected='-1') -%}
  {%- do pg_tviews.create_indexes(relation) -%}
  {%- do apply_grants(relation, config.get('grants'), should_revoke=tview is not none) -%}
  {%- do pg_tviews.persist_docs(relation) -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ adapter.commit() }}

  {#- Tests come next, in other sessions: they shall see what seeds and models before this one have written. -#}
  {%- if config.get('wait', '10 minutes') -%}
    {%- if config.get('online') -%}
      {%- call statement('fill', auto_begin=False) %}{{ pg_tviews.wait_for_fill(extension) }}{% endcall -%}
    {%- endif -%}
    {%- call statement('wait', auto_begin=False) %}select {{ extension }}.pg_tviews_wait('{{ config.get('wait', '10 minutes') }}'){% endcall -%}
  {%- endif -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- The first statement of a model: the transaction begins here, whatever follows. -#}
{% macro extension_schema() %}
  {%- call statement('extension', fetch_result=True) -%}
    select pg_catalog.quote_ident(nspname) from pg_catalog.pg_extension join pg_catalog.pg_namespace on pg_namespace.oid = extnamespace where extname = 'pg_tviews'
  {%- endcall -%}
  {%- set found = load_result('extension')['data'] -%}
  {%- if not found -%}
    {%- do exceptions.raise_compiler_error('The database ' ~ target.database ~ ' has no extension pg_tviews: CREATE SCHEMA tviews; CREATE EXTENSION pg_tviews SCHEMA tviews') -%}
  {%- endif -%}
  {{ return(found[0][0]) }}
{% endmacro %}

{#- Its row of pg_tview_meta, or none. -#}
{% macro find(extension, relation) %}
  {%- set found = run_query("select meta.entity, pg_catalog.format('%I.%I', pg_namespace.nspname, meta.entity) as full_entity, meta.definition, pg_catalog.array_to_string(meta.key_columns, ', ') as key_columns from "
      ~ extension ~ ".pg_tview_meta as meta join pg_catalog.pg_class on pg_class.oid = meta.tview join pg_catalog.pg_namespace on pg_namespace.oid = pg_class.relnamespace where meta.tview = pg_catalog.to_regclass("
      ~ pg_tviews.literal(relation.include(database=False)) ~ ")") -%}
  {{ return(found.rows[0] if found.rows else none) }}
{% endmacro %}

{% macro literal(text) %}{{ return("'" ~ (text | string).replace("'", "''") ~ "'") }}{% endmacro %}

{#- A query between dollars: whatever it contains. -#}
{% macro quoted(text) %}
  {%- set tag = namespace(name='$model$') -%}
  {%- for number in range(1000) if tag.name in text -%}{%- set tag.name = '$model' ~ number ~ '$' -%}{%- endfor -%}
  {{ return(tag.name ~ text ~ tag.name) }}
{% endmacro %}

{% macro entity() %}
  {%- set name = this.identifier -%}
  {{ return(config.get('entity', name[3:] if name.startswith('tv_') and name != 'tv_' else name)) }}
{% endmacro %}

{#- The columns of unique_key, as a list; empty where pg_tviews chooses. -#}
{% macro key() %}
  {%- set key = config.get('unique_key') or [] -%}
  {{ return(key.split(',') | map('trim') | list if key is string else key) }}
{% endmacro %}

{#- Name and key are given at creation. -#}
{% macro is_as_configured(tview) %}
  {%- set key = pg_tviews.key() -%}
  {{ return(tview['entity'] == pg_tviews.entity() and (not key or tview['key_columns'] == key | join(', '))) }}
{% endmacro %}

{#- The last statement is for the comment that dbt may append: it would be a part of the query otherwise. -#}
{% macro create(relation, sql) %}
  {%- set options = ['pg_tviews.entity = ' ~ pg_tviews.literal(pg_tviews.entity())] -%}
  {%- if pg_tviews.key() -%}
    {%- do options.append('pg_tviews.key = ' ~ pg_tviews.literal(pg_tviews.key() | join(', '))) -%}
  {%- endif -%}
  {%- for name, value in (config.get('pg_tviews') or {}).items() -%}
    {%- do options.append('pg_tviews.' ~ name ~ ' = ' ~ pg_tviews.literal(value)) -%}
  {%- endfor -%}
  {{ return((config.get('sql_header') or '') ~ '\ncreate table ' ~ relation ~ ' with (' ~ options | join(', ') ~ ') as\n' ~ sql ~ '\n' ~ ('with no data' if config.get('online') else '') ~ ';\nselect 1;') }}
{% endmacro %}

{#- What stands under the model's name and is no TVIEW goes; who reads it keeps it, and the run fails. -#}
{% macro make_way(relation, existing) %}
  {%- if existing is none %}{{ return('') }}{% endif -%}
  {%- do adapter.cache_dropped(existing) -%}
  {{ return('drop ' ~ existing.type.replace('_', ' ') ~ ' if exists ' ~ relation ~ ';\n') }}
{% endmacro %}

{#- Drops the TVIEW and those that read it, creates it with the new query, and brings the others back with their own, with their
    indexes, grants and owners; all of it or nothing, in the model's transaction. Whatever else reads the TVIEW makes DROP fail. -#}
{% macro create_anew(extension, relation, sql) %}
  {%- set readers = run_query("with recursive reader (tview, depth) as (
      select pg_catalog.to_regclass(" ~ pg_tviews.literal(relation.include(database=False)) ~ ")::oid, 0
      union select meta.tview::oid, reader.depth + 1 from reader join " ~ extension ~ ".pg_tview_meta as meta on reader.tview = any (meta.dependencies::oid[]))
    select pg_catalog.format('%I.%I', pg_namespace.nspname, pg_class.relname), pg_catalog.format('%I.%I', pg_namespace.nspname, meta.entity)
    from (select tview, max(depth) as depth from reader group by tview) as reader join pg_catalog.pg_class on pg_class.oid = reader.tview
    join pg_catalog.pg_namespace on pg_namespace.oid = pg_class.relnamespace join " ~ extension ~ ".pg_tview_meta as meta on meta.tview = reader.tview
    where reader.depth > 0 order by reader.depth").rows -%}
  {%- set statements = [] -%}
  {%- for reader in readers | reverse %}{% do statements.append('drop table ' ~ reader[0] ~ ';') %}{% endfor -%}
  {%- do statements.append('drop table ' ~ relation ~ ';') -%}
  {%- do statements.append(pg_tviews.create(relation, sql)) -%}
  {%- for reader in readers %}{% do statements.append('select ' ~ extension ~ '.pg_tviews_restore_dropped(' ~ pg_tviews.literal(reader[1]) ~ ');') %}{% endfor -%}
  {{ return(statements | join('\n')) }}
{% endmacro %}

{#- Whether pg_tviews_replace takes the query. What it refuses because of the columns leaves the transaction as it was. -#}
{% macro try_replace(extension, tview, sql) %}
  {%- set block -%}
begin
  perform {{ extension }}.pg_tviews_replace({{ pg_tviews.literal(tview['full_entity']) }}, {{ pg_tviews.quoted(sql) }});
  perform pg_catalog.set_config('dbt.tview', 'replaced', true);
exception when invalid_table_definition or undefined_column or feature_not_supported then
  raise notice '%', sqlerrm using detail = 'The TVIEW is created anew.';
  perform pg_catalog.set_config('dbt.tview', 'refused', true);
end
  {%- endset -%}
  {%- do run_query('do ' ~ pg_tviews.quoted(block)) -%}
  {{ return(run_query("select pg_catalog.current_setting('dbt.tview')").rows[0][0] == 'replaced') }}
{% endmacro %}

{#- Until the applier has filled the TVIEW: nobody can read it before. -#}
{% macro wait_for_fill(extension) %}
  {%- set block -%}
begin
  while exists (select from {{ extension }}.pg_tviews_progress where operation = 'online fill' and database = pg_catalog.current_database()
                and entity = {{ pg_tviews.literal(pg_tviews.entity()) }}) loop
    if pg_catalog.clock_timestamp() > pg_catalog.now() + {{ pg_tviews.literal(config.get('wait', '10 minutes')) }}::interval then
      raise 'the TVIEW is not filled after {{ config.get('wait', '10 minutes') }}' using errcode = '55000', hint = 'The applier goes on. wait in the model''s configuration says how long a run waits.';
    end if;
    perform pg_catalog.pg_sleep(0.2);
  end loop;
end
  {%- endset -%}
  {{ return('do ' ~ pg_tviews.quoted(block)) }}
{% endmacro %}

{#- Those of the configuration that are not there: each run gives an index another name. -#}
{% macro create_indexes(relation) %}
  {%- set present = [] -%}
  {%- for index in run_query("select amname, indisunique, (select pg_catalog.string_agg(pg_catalog.pg_get_indexdef(indexrelid, number, false), ',' order by number) from pg_catalog.generate_series(1, indnkeyatts) as number) as columns
      from pg_catalog.pg_index join pg_catalog.pg_class on pg_class.oid = indexrelid join pg_catalog.pg_am on pg_am.oid = relam
      where indpred is null and indrelid = pg_catalog.to_regclass(" ~ pg_tviews.literal(relation.include(database=False)) ~ ")").rows -%}
    {%- do present.append([index['columns'], index['amname'], index['indisunique']]) -%}
  {%- endfor -%}
  {%- for wanted in config.get('indexes', default=[]) -%}
    {%- set index = adapter.parse_index(wanted) -%}
    {%- if [index.columns | join(','), index.type or 'btree', index.unique] not in present -%}
      {%- do run_query(get_create_index_sql(relation, wanted)) -%}
    {%- endif -%}
  {%- endfor -%}
{% endmacro %}

{#- As dbt does it, where it would change something. -#}
{% macro persist_docs(relation) %}
  {%- set present = {} -%}
  {%- for row in run_query("select coalesce(attname, '') as name, description from pg_catalog.pg_description left join pg_catalog.pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
      where classoid = 'pg_catalog.pg_class'::regclass and objoid = pg_catalog.to_regclass(" ~ pg_tviews.literal(relation.include(database=False)) ~ ")").rows -%}
    {%- do present.update({row['name']: row['description']}) -%}
  {%- endfor -%}
  {%- set documented = namespace(differs=config.persist_relation_docs() and model.description and present.get('') != model.description) -%}
  {%- if config.persist_column_docs() -%}
    {%- for name, column in model.columns.items() if column.description and present.get(name) != column.description -%}
      {%- set documented.differs = true -%}
    {%- endfor -%}
  {%- endif -%}
  {%- if documented.differs %}{% do persist_docs(relation, model) %}{% endif -%}
{% endmacro %}
