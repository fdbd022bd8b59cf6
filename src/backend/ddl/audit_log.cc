#include "backend/ddl/audit_log.h"

#include "absl/strings/str_cat.h"
#include "backend/tview/facts.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <tcop/utility.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// An expression that builds a JSON object of `details`, which are appended to `parameters`.
std::string JsonObject(const AuditDetails& details, pg::SqlParameters* parameters) {
  std::string arguments;
  for (const AuditDetail& detail : details) {
    if (detail.value.empty()) continue;
    if (!arguments.empty()) arguments += ", ";
    parameters->emplace_back(detail.name);
    absl::StrAppend(&arguments, "$", parameters->size(), "::text, ");
    parameters->emplace_back(detail.value);
    absl::StrAppend(&arguments, "$", parameters->size(),
                    detail.kind == AuditDetail::kJson ? "::jsonb" : "::text");
  }
  return "pg_catalog.jsonb_build_object(" + arguments + ")";
}

// The current role, where it is not the session's user.
absl::StatusOr<std::string> OtherRole() {
  TVIEWS_ASSIGN_OR_RETURN(const char* role, pg::CallFor([]() -> const char* {
                            if (GetUserId() == GetSessionUserId()) return "";
                            return GetUserNameFromId(GetUserId(), false);
                          }));
  return std::string(role);
}

// Not where the extension's objects are those of version 0.1.0.
absl::StatusOr<bool> HasAuditLog() { return pg::HasCatalogTable(pg::CatalogTable::kAuditLog); }

}  // namespace

absl::Status RecordAction(const char* operation, const std::string& entity,
                          const AuditDetails& details) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_log, HasAuditLog());
  if (!has_log) return absl::OkStatus();
  AuditDetails all = details;
  TVIEWS_ASSIGN_OR_RETURN(std::string role, OtherRole());
  all.push_back({"role", std::move(role)});
  all.push_back({"version", TVIEWS_VERSION});
  pg::SqlParameters parameters = {operation,
                                  entity.empty() ? pg::SqlValue() : pg::SqlValue(entity)};
  const std::string object = JsonObject(all, &parameters);
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, pg::QualifiedTable(pg::CatalogTable::kAuditLog));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  return pg::ExecuteSqlLatest("INSERT INTO " + table +
                                  " (operation, entity, details) VALUES ($1, $2, " + object + ")",
                              parameters)
      .status();
}

absl::Status RecordActionOn(const char* operation, RelationId tview, AuditDetails details) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_log, HasAuditLog());
  if (!has_log) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  details.push_back({"table", facts.table});
  return RecordAction(operation, facts.entity, details);
}

absl::Status RecordDdl(const Node* statement, const Aftermath& aftermath) {
  for (int i = 0; i < list_length(aftermath.relations); ++i) {
    const RelationId relation = list_nth_oid(aftermath.relations, i);
    const std::string command = GetCommandTagName(CreateCommandTag(const_cast<Node*>(statement)));
    TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
    if (is_tview) {
      TVIEWS_RETURN_IF_ERROR(RecordActionOn("ALTER", relation, {{"command", command}}));
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<RelationId> readers, ReadersOf(relation));
    if (readers.empty()) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string source, QualifiedRelationName(relation));
    for (RelationId reader : readers) {
      TVIEWS_RETURN_IF_ERROR(
          RecordActionOn("ALTER SOURCE", reader, {{"command", command}, {"source", source}}));
    }
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
