#include "backend/tview/create_table_as.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "backend/ddl/internal_ddl.h"
#include "backend/tview/create.h"
#include "backend/tview/defining_query.h"
#include "backend/tview/names.h"
#include "backend/tview/options.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/reloptions.h>
#include <catalog/namespace.h>
#include <catalog/pg_class.h>
#include <commands/defrem.h>
#include <commands/extension.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <parser/parse_param.h>
#include <utils/lsyscache.h>
#include <utils/ruleutils.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Options {
  std::string entity;
  std::string key;
  std::string others;  // members of a JSON object (tview/options.h)
  DefinitionSettings settings;
  TableStorage storage;
};

const DefElem* Option(const IntoClause* into, int i) {
  return static_cast<DefElem*>(list_nth(into->options, i));
}

absl::Status ReadOurOption(const DefElem* option, const std::string& value, Options* options) {
  const std::string name = option->defname;
  if (name == "entity") {
    options->entity = value;
  } else if (name == "key") {
    options->key = value;
  } else if (const char* const setting = pg::DefinitionSettingNamed(name)) {
    options->settings.push_back({.name = setting, .value = value});
  } else {
    TVIEWS_ASSIGN_OR_RETURN(const std::string member, TviewOptionAsJson(option));
    if (member.empty()) {
      return pg::MakeError(absl::StatusCode::kInvalidArgument,
                           {.message = "unrecognized parameter \"pg_tviews." + name + "\"",
                            .hint = "The parameters are pg_tviews.entity, pg_tviews.key, "
                                    "pg_tviews.notify, pg_tviews.feed, "
                                    "pg_tviews.function_reads, pg_tviews.clock_period, "
                                    "pg_tviews.group_state, pg_tviews.lane, "
                                    "pg_tviews.lag_target, and the settings "
                                    "that a TVIEW keeps, such as pg_tviews.timezone."});
    }
    options->others += (options->others.empty() ? "" : ", ") + member;
  }
  return absl::OkStatus();
}

// The server's own check, before anything is created, so that the error can speak of TVIEWs.
absl::Status CheckStorageOptions(const IntoClause* into) {
  const absl::Status status = pg::Call([into] {
    List* storage = NIL;
    for (int i = 0; i < list_length(into->options); ++i) {
      DefElem* const option = const_cast<DefElem*>(Option(into, i));
      if (!IsTviewOption(option)) storage = lappend(storage, option);
    }
    static char toast[] = "toast";
    char* namespaces[] = {toast, nullptr};
    const Datum options =
        transformRelOptions(PointerGetDatum(nullptr), storage, nullptr, namespaces, true, false);
    heap_reloptions(RELKIND_RELATION, options, true);
  });
  if (!absl::StrContains(status.message(), "unrecognized parameter")) return status;
  return pg::MakeError(status.code(),
                       {.message = std::string(status.message()),
                        .detail = pg::ErrorDetail(status),
                        .hint = "Parameters of a TVIEW begin with pg_tviews., as in "
                                "pg_tviews.key; a key of several columns is quoted: 'a, b'.",
                        .sqlstate = "22023"});
}

absl::StatusOr<Options> ReadOptions(const IntoClause* into) {
  TVIEWS_RETURN_IF_ERROR(CheckStorageOptions(into));
  Options options;
  if (into->accessMethod != nullptr) options.storage.access_method = into->accessMethod;
  if (into->tableSpaceName != nullptr) options.storage.tablespace = into->tableSpaceName;
  for (int i = 0; i < list_length(into->options); ++i) {
    const DefElem* const option = Option(into, i);
    TVIEWS_ASSIGN_OR_RETURN(const char* value, pg::CallFor([&]() -> const char* {
                              if (option->arg == nullptr) return "true";
                              return defGetString(const_cast<DefElem*>(option));
                            }));
    if (IsTviewOption(option)) {
      TVIEWS_RETURN_IF_ERROR(CheckIsOnce(into->options, i));
      TVIEWS_RETURN_IF_ERROR(ReadOurOption(option, value, &options));
      continue;
    }
    std::string name = QuoteIdentifier(option->defname);
    if (option->defnamespace != nullptr) {
      name = QuoteQualified(option->defnamespace, option->defname);
    } else if (std::string_view(option->defname) == "fillfactor") {
      options.storage.has_fillfactor = true;
    }
    options.storage.options.push_back(name + " = " + QuoteLiteral(value));
  }
  return options;
}

absl::Status Refuse(const std::string& message, const std::string& hint) {
  return pg::MakeError(absl::StatusCode::kUnimplemented, {.message = message, .hint = hint});
}

absl::Status CheckForm(const CreateTableAsStmt* statement) {
  const IntoClause* const into = statement->into;
  if (into->rel->relpersistence == RELPERSISTENCE_UNLOGGED) {
    return Refuse("a TVIEW cannot be unlogged: crash recovery would empty it",
                  "Create it without UNLOGGED.");
  }
  Query* const query = castNode(Query, statement->query);
  if (query->commandType == CMD_UTILITY) {
    return Refuse("a TVIEW cannot be created from a prepared statement",
                  "Write its query into the statement.");
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool has_parameters,
                          pg::CallFor([&] { return query_contains_extern_params(query); }));
  if (has_parameters) {
    return Refuse("the query of a TVIEW cannot use parameters or variables",
                  "Put their values into the text, for example with EXECUTE format(...).");
  }
  return absl::OkStatus();
}

// The query as the user wrote it; for SELECT INTO, as the server prints it.
absl::StatusOr<std::string> QueryText(const CreateTableAsStmt* statement, std::string_view text) {
  if (!statement->is_select_into) {
    TVIEWS_ASSIGN_OR_RETURN(std::string written, QueryTextOfCreateTableAs(text));
    if (!written.empty()) return written;
  }
  TVIEWS_ASSIGN_OR_RETURN(const char* printed, pg::CallFor([&] {
                            return pg_get_querydef(
                                static_cast<Query*>(copyObjectImpl(statement->query)), false);
                          }));
  return std::string(printed);
}

absl::StatusOr<TviewName> NameOf(const IntoClause* into, const Options& options) {
  const std::string schema = into->rel->schemaname != nullptr ? into->rel->schemaname : "";
  const std::string table = into->rel->relname;
  if (options.entity.empty()) return MakeTviewName(schema, WithoutTviewPrefix(table));
  TVIEWS_ASSIGN_OR_RETURN(TviewName name, MakeTviewName(schema, options.entity));
  name.table = table;
  return name;
}

absl::StatusOr<bool> Exists(const TviewName& name) {
  return pg::CallFor([&] {
    const Oid schema = LookupExplicitNamespace(name.schema.c_str(), false);
    return get_relname_relid(name.table.c_str(), schema) != InvalidOid;
  });
}

// True of TEMP, of the schema pg_temp by any name, and where search_path begins with it. Raises
// where the schema cannot be created in, as the statement would.
bool GoesToTemporarySchema(const RangeVar* relation) {
  if (relation->relpersistence == RELPERSISTENCE_TEMP) return true;
  return isAnyTempNamespace(RangeVarGetCreationNamespace(relation));
}

}  // namespace

absl::StatusOr<bool> CreatesTview(const CreateTableAsStmt* statement) {
  const IntoClause* const into = statement->into;
  if (statement->objtype != OBJECT_TABLE || InternalDdlScope::IsOpen() || creating_extension) {
    return false;
  }
  bool is_wanted = HasTviewPrefix(into->rel->relname);
  for (int i = 0; i < list_length(into->options); ++i) is_wanted |= IsTviewOption(Option(into, i));
  if (!is_wanted) return false;
  TVIEWS_ASSIGN_OR_RETURN(const Oid schema, pg::ExtensionSchema());
  if (schema == InvalidOid) return false;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_temporary,
                          pg::CallFor([&] { return GoesToTemporarySchema(into->rel); }));
  return !is_temporary;
}

absl::StatusOr<CreateTableAsResult> RunCreateTableAs(const CreateTableAsStmt* statement,
                                                     std::string_view text) {
  const IntoClause* const into = statement->into;
  TVIEWS_ASSIGN_OR_RETURN(Options options, ReadOptions(into));
  if (options.entity.empty() && !HasTviewPrefix(into->rel->relname)) {
    const std::string prefix = pg::settings::table_prefix;
    return Refuse("table \"" + std::string(into->rel->relname) + "\" names no entity",
                  "Add pg_tviews.entity = '...'" +
                      (prefix.empty() ? "." : ", or begin the table's name with " + prefix + "."));
  }
  TviewRequest request;
  TVIEWS_ASSIGN_OR_RETURN(request.name, NameOf(into, options));
  TVIEWS_RETURN_IF_ERROR(ResolveCreationSchema(&request.name));
  if (statement->if_not_exists) {
    TVIEWS_ASSIGN_OR_RETURN(const bool exists, Exists(request.name));
    if (exists) {
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
        ereport(NOTICE, (errcode(ERRCODE_DUPLICATE_TABLE),
                         errmsg("relation \"%s\" already exists, skipping", into->rel->relname)));
      }));
      return CreateTableAsResult{.rows = 0, .has_rows = false};
    }
  }
  TVIEWS_RETURN_IF_ERROR(CheckForm(statement));
  TVIEWS_ASSIGN_OR_RETURN(request.query, QueryText(statement, text));
  request.key = options.key;
  request.options = options.others;
  request.settings = std::move(options.settings);
  request.with_no_data = into->skipData;
  request.storage = std::move(options.storage);
  for (int i = 0; i < list_length(into->colNames); ++i) {
    request.column_names.push_back(strVal(list_nth(into->colNames, i)));
  }
  TVIEWS_ASSIGN_OR_RETURN(const CreatedTview created, CreateTview(std::move(request)));
  return CreateTableAsResult{.rows = created.rows, .has_rows = !into->skipData};
}

}  // namespace tviews::backend
