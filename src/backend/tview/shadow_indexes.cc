#include "backend/tview/shadow_indexes.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backend/ddl/relation_files.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <postgres_ext.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct Index {
  RelationId relation = 0;
  bool is_primary = false;
  bool is_unique = false;
  std::string meaning;     // from USING on, as SQL
  std::string tablespace;  // empty: the database's

  bool operator==(const Index& other) const {
    return is_primary == other.is_primary && is_unique == other.is_unique &&
           meaning == other.meaning;
  }
};

// Those that are used. Names are printed in full, whatever the session's search path is.
absl::StatusOr<std::vector<Index>> IndexesOf(RelationId table,
                                             const std::vector<AttributeNumber>& without) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  const std::string numbers = absl::StrJoin(without, ", ");
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest(
          absl::StrCat(
              "SELECT i.indexrelid::oid, i.indisprimary, i.indisunique,"
              " substr(pg_get_indexdef(i.indexrelid), length(concat('CREATE ', CASE WHEN"
              " i.indisunique THEN 'UNIQUE ' END, 'INDEX ', quote_ident(x.relname), ' ON ',"
              " quote_ident(n.nspname), '.', quote_ident(c.relname))) + 2), s.spcname"
              " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
              " JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid ="
              " c.relnamespace LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace"
              " WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indislive",
              numbers.empty()
                  ? ""
                  : absl::StrCat(" AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid ="
                                 " 'pg_class'::regclass AND d.objid = i.indexrelid AND"
                                 " d.refclassid = 'pg_class'::regclass AND d.refobjid ="
                                 " i.indrelid AND d.refobjsubid IN (",
                                 numbers, "))"),
              " ORDER BY i.indexrelid"),
          {std::to_string(table)}));
  std::vector<Index> indexes;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    Index& index = indexes.emplace_back();
    index.relation = column.Oid();
    index.is_primary = column.IsTrue();
    index.is_unique = column.IsTrue();
    index.meaning = column.Text();
    index.tablespace = column.TextOrNothing();
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return indexes;
}

// Takes from `indexes` one that says the same as `wanted`; 0: there is none.
RelationId TakeLike(const Index& wanted, std::vector<Index>* indexes) {
  const auto found = std::find(indexes->begin(), indexes->end(), wanted);
  if (found == indexes->end()) return 0;
  const RelationId relation = found->relation;
  indexes->erase(found);
  return relation;
}

}  // namespace

absl::StatusOr<std::string> SetTablespace(const std::string& name) {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult before,
      pg::ExecuteSqlLatest("SELECT pg_catalog.current_setting('default_tablespace')"));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSqlLatest("SELECT pg_catalog.set_config('default_tablespace', $1, true)", {name})
          .status());
  return before.rows.at(0)[0].value_or("");
}

namespace {

absl::Status CreateIndex(const std::string& table, const Index& index) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string before, SetTablespace(index.tablespace));
  TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand(absl::StrCat(
      "CREATE ", index.is_unique ? "UNIQUE " : "", "INDEX ON ", table, " ", index.meaning)));
  return SetTablespace(before).status();
}

}  // namespace

absl::Status CopyIndexes(RelationId model, RelationId table,
                         const std::vector<AttributeNumber>& without) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Index> wanted, IndexesOf(model, without));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Index> present, IndexesOf(table, {}));
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(table));
  for (const Index& index : wanted) {
    if (index.is_primary || TakeLike(index, &present) != 0) continue;
    TVIEWS_RETURN_IF_ERROR(CreateIndex(name, index));
  }
  return absl::OkStatus();
}

absl::Status ExchangeRows(RelationId tview, RelationId shadow) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Index> own, IndexesOf(tview, {}));
  TVIEWS_ASSIGN_OR_RETURN(std::vector<Index> others, IndexesOf(shadow, {}));
  TVIEWS_RETURN_IF_ERROR(pg::Call([=] {
    MoveStatistics(shadow, tview);
    ExchangeFiles(tview, shadow);
  }));
  std::vector<RelationId> to_build;
  for (const Index& index : own) {
    const RelationId other = TakeLike(index, &others);
    if (other == 0) {
      to_build.push_back(index.relation);
      continue;
    }
    const RelationId relation = index.relation;
    TVIEWS_RETURN_IF_ERROR(pg::Call([=] { ExchangeFiles(relation, other); }));
  }
  for (const RelationId index : to_build) {
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, QualifiedRelationName(index));
    TVIEWS_RETURN_IF_ERROR(pg::ExecuteCommand("REINDEX INDEX " + name));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
