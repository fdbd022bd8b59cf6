#include "backend/ddl/drop_column_hint.h"

#include <string>
#include <vector>

#include "backend/tview/names.h"
#include "backend/tview/uses.h"
#include "shared/pg/boundary/guard.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <catalog/namespace.h>
#include <nodes/parsenodes.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

std::vector<std::string> DroppedColumns(const AlterTableStmt* statement) {
  std::vector<std::string> names;
  for (int i = 0; i < list_length(statement->cmds); ++i) {
    const auto* const command = static_cast<AlterTableCmd*>(list_nth(statement->cmds, i));
    if (command->subtype != AT_DropColumn || command->behavior != DROP_RESTRICT) continue;
    names.emplace_back(command->name);
  }
  return names;
}

}  // namespace

absl::StatusOr<const char*> HintForDropColumn(const Node* node) {
  if (!IsA(node, AlterTableStmt)) return nullptr;
  const auto* const statement = reinterpret_cast<const AlterTableStmt*>(node);
  const std::vector<std::string> columns = DroppedColumns(statement);
  if (columns.empty()) return nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId relation, pg::CallFor([statement]() -> RelationId {
                            return RangeVarGetRelid(statement->relation, NoLock, true);
                          }));
  if (relation == 0) return nullptr;
  for (const std::string& column : columns) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> users, UsersOfColumn(relation, column));
    if (users.empty()) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string tview, RelationDisplayName(users[0]));
    const std::string hint = "SELECT pg_tviews_replace(" + QuoteLiteral(tview) +
                             ", 'SELECT ...') gives a TVIEW a query that does not read the "
                             "column. DROP ... CASCADE drops the dependent objects too.";
    return pg::CallFor([&] { return static_cast<const char*>(pstrdup(hint.c_str())); });
  }
  return nullptr;
}

void GiveDropColumnHint(void* hint) {
  if (geterrcode() != ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST) return;
  errhint("%s", static_cast<const char*>(hint));
}

}  // namespace tviews::backend
