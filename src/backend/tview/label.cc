#include "backend/tview/label.h"

#include <string>

#include "backend/tview/facts.h"
#include "backend/tview/function_reads.h"
#include "backend/tview/metadata.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "shared/tview_label.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/table.h>
#include <access/xact.h>
#include <catalog/indexing.h>
#include <catalog/objectaddress.h>
#include <catalog/pg_class.h>
#include <catalog/pg_seclabel.h>
#include <commands/seclabel.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

ObjectAddress AddressOf(RelationId relation) { return {RelationRelationId, relation, 0}; }

absl::Status CheckLabel(const std::string& label) {
  const absl::StatusOr<TviewLabel> parsed = ParseTviewLabel(label);
  if (parsed.ok()) return absl::OkStatus();
  return pg::MakeError(absl::StatusCode::kInvalidArgument,
                       {.message = "invalid label of a TVIEW: " + label,
                        .detail = std::string(parsed.status().message()),
                        .hint = "Labels are written by the extension and by dumps."});
}

// SECURITY LABEL: a dump is being restored. The applier adopts the table as soon as it can.
absl::Status OnLabel(const ObjectAddress& object, const char* label) {
  const bool is_table = object.classId == RelationRelationId && object.objectSubId == 0;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_ordinary, pg::CallFor([&] {
                            return is_table && get_rel_relkind(object.objectId) == RELKIND_RELATION;
                          }));
  if (!is_ordinary) {
    return pg::MakeError(absl::StatusCode::kInvalidArgument,
                         {.message = "only tables have labels of pg_tviews"});
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(object.objectId));
  if (is_tview) {
    return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.message = "the label of a TVIEW cannot be changed",
                          .hint = "It is kept by the extension."});
  }
  if (label == nullptr) return absl::OkStatus();
  // Also where there is no extension yet, which will find the label when it is created.
  TVIEWS_RETURN_IF_ERROR(CheckLabel(label));
  TVIEWS_ASSIGN_OR_RETURN(const Oid32 schema, pg::ExtensionSchema());
  return schema == 0 ? absl::OkStatus() : NoteMetadataChange();
}

void CheckObjectLabel(const ObjectAddress* object, const char* label) {
  if (IsBinaryUpgrade) return;  // metadata comes along: nothing is to be adopted
  pg::Enter<bool>([object, label]() -> absl::StatusOr<bool> {
    TVIEWS_RETURN_IF_ERROR(OnLabel(*object, label));
    return true;
  });
}

}  // namespace

void RegisterLabelProvider() { register_label_provider(kLabelProvider, CheckObjectLabel); }

absl::Status WriteLabel(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const TviewFacts facts, ReadTviewFacts(tview));
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, ExtensionObject("pg_tview_meta"));
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult label,
      pg::ExecuteSqlLatest("SELECT CASE options WHEN '{}' THEN"
                           " json_build_object('entity', $1, 'key', k.key, 'view', $2) ELSE"
                           " json_build_object('entity', $1, 'key', k.key, 'view', $2,"
                           " 'options', " +
                               WithNames("(options - 'deadlines')") + ") END::text FROM " + meta +
                               ", LATERAL (SELECT CASE cardinality(key_columns) WHEN 1 THEN"
                               " to_json(key_columns[1]) ELSE to_json(key_columns) END) AS k (key)"
                               " WHERE tview = $3::oid",
                           {facts.entity, facts.view, std::to_string(tview)}));
  const ObjectAddress object = AddressOf(tview);
  return pg::Call([&] {
    const char* const text = label.rows[0][0]->c_str();
    const char* const present = GetSecurityLabel(&object, kLabelProvider);
    if (present != nullptr && strcmp(present, text) == 0) return;
    SetSecurityLabel(&object, kLabelProvider, text);
    CommandCounterIncrement();
  });
}

absl::Status RemoveLabels() {
  return pg::Call([] {
    Relation const table = table_open(SecLabelRelationId, RowExclusiveLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_seclabel_provider, BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(kLabelProvider));
    SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, nullptr, 1, &key);
    HeapTuple row;
    while (HeapTupleIsValid(row = systable_getnext(scan))) CatalogTupleDelete(table, &row->t_self);
    systable_endscan(scan);
    table_close(table, RowExclusiveLock);
  });
}

absl::StatusOr<bool> AnyHasLabel() {
  TVIEWS_ASSIGN_OR_RETURN(
      const pg::SqlResult found,
      pg::ExecuteSqlLatest("SELECT EXISTS (SELECT FROM pg_catalog.pg_seclabel WHERE provider"
                           " OPERATOR(pg_catalog.=) $1)",
                           {kLabelProvider}));
  return found.rows.at(0)[0] == "t";
}

absl::StatusOr<bool> AwaitsAdoption(RelationId relation) {
  const ObjectAddress object = AddressOf(relation);
  TVIEWS_ASSIGN_OR_RETURN(const bool has_label, pg::CallFor([&] {
                            return GetSecurityLabel(&object, kLabelProvider) != nullptr;
                          }));
  if (!has_label) return false;
  TVIEWS_ASSIGN_OR_RETURN(const bool is_tview, pg::IsTview(relation));
  return !is_tview;
}

}  // namespace tviews::backend
