#include "worker/batch/quarantine.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/tables/catalog.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"
#include "worker/refresh/key_values.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/builtins.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

absl::StatusOr<std::string> KeyText(const TviewDefinition& tview, const std::string& image) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  TVIEWS_ASSIGN_OR_RETURN(const Datum value, pg::DatumFromImage(image, shape));
  const char* text = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    Oid output = InvalidOid;
    bool is_varlena = false;
    getTypeOutputInfo(tview.key_type, &output, &is_varlena);
    text = OidOutputFunctionCall(output, value);
  }));
  return std::string(text);
}

absl::Status Record(const TviewDefinition& tview, const pg::SqlValue& key,
                    const absl::Status& error) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  const std::string sql = absl::StrCat(
      "INSERT INTO ", table,
      " AS d (tview, key, sqlstate, error, first_seen, last_seen)"
      " VALUES ($1::oid, $2, $3, $4, clock_timestamp(), clock_timestamp())"
      " ON CONFLICT (tview, (coalesce(key, '')), (key IS NULL)) DO UPDATE SET"
      " sqlstate = excluded.sqlstate, error = excluded.error, attempts = d.attempts + 1,"
      " last_seen = excluded.last_seen");
  std::string text(error.message());
  const std::string detail = pg::ErrorDetail(error);
  if (!detail.empty()) absl::StrAppend(&text, "\n", detail);
  return pg::ExecuteSql(sql, {absl::StrCat(tview.relation), key, pg::SqlState(error), text})
      .status();
}

}  // namespace

bool ConcernsDefinition(const absl::Status& error) {
  return pg::HasSqlState(error, "42") || pg::HasSqlState(error, "0A") ||
         pg::HasSqlState(error, "XX") || pg::HasSqlState(error, "55") ||
         pg::HasSqlState(error, "23502");  // a row without a key is nobody's
}

absl::Status QuarantineKey(const TviewDefinition& tview, const std::string& key_image,
                           const absl::Status& error) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string key, KeyText(tview, key_image));
  pg::LogFailure(
      error, absl::StrCat("key ", key, " of TVIEW ", tview.qualified_name, " goes into quarantine")
                 .c_str());
  return Record(tview, key, error);
}

absl::Status QuarantineWhole(const TviewDefinition& tview, const absl::Status& error) {
  pg::LogFailure(error,
                 absl::StrCat("TVIEW ", tview.qualified_name, " goes into quarantine").c_str());
  TVIEWS_RETURN_IF_ERROR(Record(tview, std::nullopt, error));
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(
          absl::StrCat("UPDATE ", meta, " SET state = 'quarantined' WHERE tview = $1::oid"),
          {absl::StrCat(tview.relation)})
          .status());
  return pg::InvalidateCatalog();
}

absl::Status Heal(const TviewDefinition& tview, const AffectedKeys& refreshed) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  const std::string relation = absl::StrCat(tview.relation);
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult sick,
      pg::ExecuteSql(absl::StrCat("SELECT key FROM ", table, " WHERE tview = $1::oid"),
                     {relation}));
  if (sick.rows.empty()) return absl::OkStatus();
  std::vector<std::string> keys;
  for (const pg::SqlRow& row : sick.rows) {
    if (row[0].has_value()) keys.push_back(*row[0]);
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<bool> are_healthy,
                          AreAmong(tview, keys, refreshed.keys));
  std::size_t position = 0;
  for (const pg::SqlRow& row : sick.rows) {
    const bool is_healthy = row[0].has_value() && are_healthy[position++];
    if (!refreshed.everything && !is_healthy) continue;
    TVIEWS_RETURN_IF_ERROR(
        pg::ExecuteSql(absl::StrCat("DELETE FROM ", table,
                                    " WHERE tview = $1::oid AND key IS NOT DISTINCT FROM $2"),
                       {relation, row[0]})
            .status());
  }
  if (!refreshed.everything || !tview.is_quarantined) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", meta, " SET state = 'active' WHERE tview = $1::oid"),
                     {relation})
          .status());
  return pg::InvalidateCatalog();
}

absl::Status RemoveQuarantined(const TviewDefinition& tview, AffectedKeys* keys) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult sick,
      pg::ExecuteSql(absl::StrCat("SELECT key FROM ", table, " WHERE tview = $1::oid"),
                     {absl::StrCat(tview.relation)}, true));
  if (sick.rows.empty()) return absl::OkStatus();
  std::vector<std::string> texts;
  for (const pg::SqlRow& row : sick.rows) {
    if (row[0].has_value()) texts.push_back(*row[0]);
  }
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<bool> are_among, AreAmong(tview, texts, keys->keys));
  std::vector<std::string> among;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (are_among[i]) among.push_back(texts[i]);
  }
  if (among.empty()) return absl::OkStatus();
  absl::flat_hash_set<std::string> healthy;
  for (const std::string& image : keys->keys) {
    TVIEWS_ASSIGN_OR_RETURN(const std::vector<bool> are_equal, AreAmong(tview, among, {image}));
    if (std::find(are_equal.begin(), are_equal.end(), true) == are_equal.end()) {
      healthy.insert(image);
    }
  }
  keys->keys = std::move(healthy);
  return absl::OkStatus();
}

absl::StatusOr<bool> AnythingInQuarantine() {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult result,
      pg::ExecuteSql(absl::StrCat("SELECT 1 FROM ", table, " LIMIT 1"), {}, true));
  return !result.rows.empty();
}

}  // namespace tviews::worker
