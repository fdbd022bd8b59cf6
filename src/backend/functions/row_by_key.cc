#include "backend/functions/row_by_key.h"

#include "backend/functions/key_text.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/definition_settings.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/relation.h>
#include <catalog/pg_class.h>
#include <lib/stringinfo.h>
#include <miscadmin.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include <utils/rls.h>
#include <utils/typcache.h>
#include "shared/pg/boundary/compat.h"
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// These raise.

const char* CastName(Oid type) {
  return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

struct PrimaryKey {
  int count;
  const char* names[INDEX_MAX_KEYS];
  Oid types[INDEX_MAX_KEYS];
};

PrimaryKey PrimaryKeyOf(RelationId table) {
  PrimaryKey key{};
  Relation const relation = try_relation_open(table, AccessShareLock);
  if (relation == nullptr) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                    errmsg("relation with OID %u does not exist", table)));
  }
  const char kind = relation->rd_rel->relkind;
  if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not a table", RelationGetRelationName(relation))));
  }
  const Oid primary_key = pg::compat::PrimaryKeyOf(relation);
  if (!OidIsValid(primary_key)) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                    errmsg("table \"%s\" has no primary key", RelationGetRelationName(relation)),
                    errhint("Rows are named by their primary key.")));
  }
  Relation const index = index_open(primary_key, AccessShareLock);
  key.count = index->rd_index->indnkeyatts;
  for (int i = 0; i < key.count; ++i) {
    const AttrNumber number = index->rd_index->indkey.values[i];
    const Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
    key.names[i] = pstrdup(NameStr(column->attname));
    key.types[i] = column->atttypid;
  }
  index_close(index, AccessShareLock);
  relation_close(relation, AccessShareLock);
  return key;
}

// A condition on the primary key of a table that is called t.
const char* KeyCondition(const PrimaryKey& key, const char* const* literals) {
  StringInfoData text;
  initStringInfo(&text);
  for (int i = 0; i < key.count; ++i) {
    if (i > 0) appendStringInfoString(&text, " AND ");
    const Oid type = key.types[i];
    const TypeCacheEntry* const entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);
    generate_operator_clause(&text, psprintf("t.%s", quote_identifier(key.names[i])), type,
                             entry->eq_opr, psprintf("%s::%s", literals[i], CastName(type)), type);
  }
  return text.data;
}

}  // namespace

absl::Status CheckMayReadTable(RelationId table) {
  return pg::Call([table] {
    const char* const name = get_rel_name(table);
    if (name == nullptr) {
      ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                      errmsg("relation with OID %u does not exist", table)));
    }
    const AclResult result = pg_class_aclcheck(table, GetUserId(), ACL_SELECT);
    if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_TABLE, name);
    if (check_enable_rls(table, InvalidOid, true) != RLS_ENABLED) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("rows of table \"%s\" are subject to row security policies", name),
                    errhint("A role that bypasses the policies can name them by key.")));
  });
}

absl::StatusOr<std::vector<FoundRow>> FindRowsByKey(RelationId table, const std::string& key,
                                                    Evaluator* evaluator) {
  TVIEWS_RETURN_IF_ERROR(CheckMayReadTable(table));
  TVIEWS_ASSIGN_OR_RETURN(const RoleId owner, HoldOwner(table));
  TVIEWS_ASSIGN_OR_RETURN(const PrimaryKey columns,
                          pg::CallFor([table] { return PrimaryKeyOf(table); }));
  TVIEWS_ASSIGN_OR_RETURN(
      const std::vector<std::string> texts,
      SplitKeyText(key, std::vector<std::string>(columns.names, columns.names + columns.count)));
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(QuoteLiteral(text));
  std::vector<const char*> literals;
  for (const std::string& literal : quoted) literals.push_back(literal.c_str());
  TVIEWS_ASSIGN_OR_RETURN(const char* condition,
                          pg::CallFor([&] { return KeyCondition(columns, literals.data()); }));
  TVIEWS_RETURN_IF_ERROR(CheckIsCommitted({table}));
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(table));
  // The caller has written the text: a date as his DateStyle says, a time of his time zone.
  TVIEWS_ASSIGN_OR_RETURN(const DefinitionSettings settings, pg::SettingsInForce());
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          evaluator->Run({.owner = owner,
                                          .settings = settings,
                                          .sql = "SELECT t.tableoid::pg_catalog.oid, t.ctid FROM " +
                                                 name + " AS t WHERE " + condition}));
  std::vector<FoundRow> rows;
  for (const pg::SqlRow& row : result.rows) {
    pg::RowReader column(row);
    const RelationId relation = column.Oid();
    rows.push_back({relation, column.Text()});
  }
  if (!rows.empty()) return rows;
  TVIEWS_ASSIGN_OR_RETURN(const std::string display, RelationDisplayName(table));
  return pg::MakeError(
      absl::StatusCode::kNotFound,
      {.message = "table " + display + " has no row whose primary key is " + key,
       .hint = "Rows that this transaction has written are found when it has committed.",
       .sqlstate = "P0002"});
}

absl::StatusOr<std::string> TypeNameForCast(TypeId type) {
  TVIEWS_ASSIGN_OR_RETURN(const char* name, pg::CallFor([&] { return CastName(type); }));
  return std::string(name);
}

}  // namespace tviews::backend
