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

std::string JsonText(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) >= ' ') {
      json += c;
      continue;
    }
    absl::StrAppend(&json, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
  }
  return json + '"';
}

std::string JsonObject(const AuditDetails& details) {
  std::string json = "{";
  for (const auto& [name, value] : details) {
    if (value.empty()) continue;
    if (json.size() > 1) json += ", ";
    json += JsonText(name) + ": " + (value[0] == '{' ? value : JsonText(value));
  }
  return json + '}';
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
absl::StatusOr<bool> HasAuditLog() {
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
  return pg::CallFor([schema] { return get_relname_relid("pg_tview_audit_log", schema) != 0; });
}

}  // namespace

absl::Status RecordAction(const char* operation, const std::string& entity,
                          const AuditDetails& details) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_log, HasAuditLog());
  if (!has_log) return absl::OkStatus();
  AuditDetails all = details;
  TVIEWS_ASSIGN_OR_RETURN(std::string role, OtherRole());
  all.emplace_back("role", std::move(role));
  all.emplace_back("version", TVIEWS_VERSION);
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, ExtensionObject("pg_tview_audit_log"));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  return pg::ExecuteSqlLatest(
             "INSERT INTO " + table + " (operation, entity, details) VALUES ($1, $2, $3::jsonb)",
             {operation, entity.empty() ? pg::SqlValue() : pg::SqlValue(entity), JsonObject(all)})
      .status();
}

absl::Status RecordActionOn(const char* operation, RelationId tview, AuditDetails details) {
  TVIEWS_ASSIGN_OR_RETURN(const bool has_log, HasAuditLog());
  if (!has_log) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  details.emplace_back("table", facts.table);
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
