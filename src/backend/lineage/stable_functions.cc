#include "backend/lineage/stable_functions.h"

#include <cstring>

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend::lineage {
namespace {

// An entry is a name, a name with a number of arguments (name/2) or with their types (name(xid)); a
// * at its beginning or end stands for anything. Looked up from top to bottom: what is looked up
// first may be part of what comes later. test/system/stable_functions_test.py holds the tables
// against the server's catalog, and what is said against what is done.
constexpr const char* kSession[] = {
    "age(xid)",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_user",
    "database_to_xml*",
    "get_current_ts_config",
    "getpgusername",
    "has_any_column_privilege/2",
    "has_column_privilege/3",
    "has_database_privilege/2",
    "has_foreign_data_wrapper_privilege/2",
    "has_function_privilege/2",
    "has_language_privilege/2",
    "has_largeobject_privilege/2",
    "has_parameter_privilege/2",
    "has_schema_privilege/2",
    "has_sequence_privilege/2",
    "has_server_privilege/2",
    "has_table_privilege/2",
    "has_tablespace_privilege/2",
    "has_type_privilege/2",
    "inet_client_addr",
    "inet_client_port",
    "inet_server_addr",
    "inet_server_port",
    "mxid_age",
    "pg_available_extension*",
    "pg_backend_pid",
    "pg_client_encoding",
    "pg_collation_is_visible",
    "pg_conf_load_time",
    "pg_config",
    "pg_conversion_is_visible",
    "pg_current_snapshot",
    "pg_current_xact_id*",
    "pg_cursor",
    "pg_event_trigger_*",
    "pg_extension_update_paths",
    "pg_filenode_relation",
    "pg_function_is_visible",
    "pg_get_replication_slots",
    "pg_has_role/2",
    "pg_is_other_temp_schema",
    "pg_listening_channels",
    "pg_my_temp_schema",
    "pg_numa_available",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_opfamily_is_visible",
    "pg_postmaster_start_time",
    "pg_prepared_statement",
    "pg_relation_filenode",
    "pg_relation_filepath",
    "pg_settings_get_flags",
    "pg_show_all_settings",
    "pg_stat_get_*",
    "pg_statistics_obj_is_visible",
    "pg_table_is_visible",
    "pg_trigger_depth",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_type_is_visible",
    "row_security_active",
    "schema_to_xml*",
    "session_user",
    "system_user",
    "table_to_xml*",
    "txid_current*",
    "version",
};

constexpr const char* kClock[] = {
    "age(timestamp with time zone)", "age(timestamp without time zone)", "now",
    "statement_timestamp",           "timetz(time without time zone)",   "transaction_timestamp",
};

constexpr const char* kOutside[] = {
    "col_description",
    "current_database",
    "enum_first",
    "enum_last",
    "enum_range",
    "format_type",
    "has_*_privilege",
    "obj_description",
    "oidvectortypes",
    "pg_basetype",
    "pg_column_compression",
    "pg_column_is_updatable",
    "pg_column_size",
    "pg_column_toast_chunk_id",
    "pg_describe_object",
    "pg_get_*",
    "pg_has_role",
    "pg_identify_object*",
    "pg_index_column_has_property",
    "pg_index_has_property",
    "pg_indexam_has_property",
    "pg_input_*",
    "pg_relation_is_publishable",
    "pg_relation_is_updatable",
    "pg_replication_origin_oid",
    "pg_sequence_parameters",
    "pg_tablespace_databases",
    "pg_tablespace_location",
    "pg_timezone_abbrevs*",
    "pg_timezone_names",
    "regclass",
    "shobj_description",
    "to_reg*",
    "ts_debug",
    "ts_parse",
    "ts_token_type",
};

constexpr const char* kSettings[] = {
    "*in",
    "*out",
    "*recv",
    "*sel",
    "*send",
    "*typanalyze",
    "aclexplode",
    "anytextcat",
    "array_to_json",
    "array_to_string",
    "concat",
    "concat_ws",
    "convert",
    "convert_from",
    "convert_to",
    "date",
    "date_*",
    "extract",
    "fmgr_*_validator",
    "format",
    "generate_series",
    "getdatabaseencoding",
    "in_range",
    "interval_*",
    "json_*",
    "jsonb_*",
    "length",
    "make_timestamptz",
    "money",
    "numeric",
    "overlaps",
    "pg_char_to_encoding",
    "pg_collation_for",
    "pg_encoding_to_char",
    "pg_mcv_list_items",
    "pg_options_to_table",
    "pg_split_walfile_name",
    "pg_typeof",
    "phraseto_tsquery",
    "plainto_tsquery",
    "quote_literal",
    "quote_nullable",
    "row_to_json",
    "textanycat",
    "time",
    "timestamp",
    "timestamp_*",
    "timestamptz",
    "timestamptz_*",
    "timetz",
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "ts_headline",
    "ts_match_tq",
    "ts_match_tt",
    "websearch_to_tsquery",
    "xml",
    "xml_is_well_formed",
};

// What a function is called by in the tables.
struct Names {
  const char* name;
  const char* with_count;  // null: not known
  const char* with_types;
};

bool Matches(const char* entry, const Names& names) {
  const std::size_t size = strlen(entry);
  const char* const star = strchr(entry, '*');
  if (star == nullptr) {
    return strcmp(entry, names.name) == 0 ||
           (names.with_count != nullptr && strcmp(entry, names.with_count) == 0) ||
           (names.with_types != nullptr && strcmp(entry, names.with_types) == 0);
  }
  const auto before = static_cast<std::size_t>(star - entry);
  const std::size_t after = size - before - 1;
  const std::size_t length = strlen(names.name);
  return length >= before + after && strncmp(names.name, entry, before) == 0 &&
         strcmp(names.name + length - after, star + 1) == 0;
}

template <std::size_t count>
bool IsIn(const char* const (&table)[count], const Names& names) {
  for (const char* entry : table) {
    if (Matches(entry, names)) return true;
  }
  return false;
}

StableKind KindOf(const Names& names) {
  if (IsIn(kSession, names)) return StableKind::kSession;
  if (IsIn(kClock, names)) return StableKind::kClock;
  if (!IsIn(kOutside, names) && IsIn(kSettings, names)) return StableKind::kSettings;
  return StableKind::kOutside;
}

}  // namespace

StableKind KindOfStable(Oid32 function) {
  Oid* types = nullptr;
  int count = 0;
  get_func_signature(function, &types, &count);
  const char* const name = get_func_name(function);
  const Names names = {
      .name = name,
      .with_count = psprintf("%s/%d", name, count),
      .with_types = count == 1 ? psprintf("%s(%s)", name, format_type_be(types[0])) : nullptr};
  return KindOf(names);
}

bool IsSessionFunction(const char* name, int arguments) {
  return IsIn(
      kSession,
      {.name = name, .with_count = psprintf("%s/%d", name, arguments), .with_types = nullptr});
}

}  // namespace tviews::backend::lineage
