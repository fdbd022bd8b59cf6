#include "worker/refresh/named_rows.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/server/settings.h"
#include "shared/refresh_plan.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/relation.h>
#include <access/tupdesc.h>
#include <catalog/pg_type.h>
#include <executor/spi.h>
#include <miscadmin.h>
#include <utils/builtins.h>
#include <utils/memutils.h>
#include <utils/queryenvironment.h>
#include <utils/rel.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

absl::Status RelationChanged() {
  return pg::MakeError(
      absl::StatusCode::kAborted,
      {.message = "a relation changed while a batch used it", .sqlstate = "40001"});
}

// Copies column `attribute` of `relation` as column `position` of `descriptor`, under `name`.
bool CopyColumn(TupleDesc descriptor, AttrNumber position, Relation relation, AttrNumber attribute,
                const char* name) {
  if (attribute < 1 || attribute > RelationGetNumberOfAttributes(relation)) return false;
  const Form_pg_attribute from = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
  if (from->attisdropped) return false;
  TupleDescInitEntry(descriptor, position, name, from->atttypid, from->atttypmod, from->attndims);
  TupleDescInitEntryCollation(descriptor, position, from->attcollation);
  return true;
}

struct NamedColumn {
  AttributeNumber attribute;
  std::string name;
};

enum class Weighted : std::uint8_t { kNo, kYes };

absl::StatusOr<TupleDesc> Describe(RelationId of, const std::vector<NamedColumn>& columns,
                                   Weighted weighted = Weighted::kNo) {
  TupleDesc descriptor = nullptr;
  bool complete = true;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    Relation const relation = relation_open(of, AccessShareLock);
    const int count = static_cast<int>(columns.size());
    const int weights = weighted == Weighted::kYes ? 1 : 0;
    descriptor = CreateTemplateTupleDesc(count + weights);
    if (weights > 0) {
      TupleDescInitEntry(descriptor, static_cast<AttrNumber>(count + 1), "w", INT8OID, -1, 0);
    }
    for (int i = 0; i < count && complete; ++i) {
      complete = CopyColumn(descriptor, static_cast<AttrNumber>(i + 1), relation,
                            columns[i].attribute, columns[i].name.c_str());
    }
    relation_close(relation, NoLock);
  }));
  if (!complete) return RelationChanged();
  return descriptor;
}

std::vector<NamedColumn> NamesOfDelta(const std::vector<CapturedColumn>& columns) {
  std::vector<NamedColumn> named;
  for (const CapturedColumn& column : columns) {
    named.push_back({column.attribute, "c" + std::to_string(column.attribute)});
  }
  return named;
}

// In a context of its own, which ends with it, however it ends.
absl::Status PutRows(TupleDesc descriptor, const std::vector<std::string>& rows, Datum* values,
                     bool* nulls, Tuplestorestate* store) {
  TVIEWS_ASSIGN_OR_RETURN(pg::MemoryScope memory, pg::MemoryScope::Make("pg_tviews rows"));
  for (const std::string& row : rows) {
    const std::vector<std::optional<std::string_view>> fields = SplitFields(row);
    for (int i = 0; i < descriptor->natts; ++i) {
      const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
      nulls[i] = !fields[i].has_value();
      if (nulls[i]) continue;
      TVIEWS_ASSIGN_OR_RETURN(values[i],
                              pg::DatumFromImage(*fields[i], {.length = attribute->attlen,
                                                              .by_value = attribute->attbyval}));
    }
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      CHECK_FOR_INTERRUPTS();
      tuplestore_putvalues(store, descriptor, values, nulls);
    }));
    memory.Reset();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TupleDescData*> DescribeDelta(RelationId source,
                                             const std::vector<CapturedColumn>& columns) {
  return Describe(source, NamesOfDelta(columns));
}

absl::StatusOr<TupleDescData*> DescribeImages(RelationId source,
                                              const std::vector<CapturedColumn>& columns) {
  return Describe(source, NamesOfDelta(columns), Weighted::kYes);
}

absl::StatusOr<TupleDescData*> DescribeKeys(const TviewDefinition& tview,
                                            const std::vector<std::size_t>& part) {
  std::vector<NamedColumn> named;
  for (const std::size_t i : part)
    named.push_back({tview.key[i].attribute, KeyFieldName(tview, i)});
  return Describe(tview.relation, named);
}

absl::Status RegisterRows(const char* name, TupleDescData* descriptor,
                          const std::vector<std::string>& rows, std::size_t expected_rows) {
  Tuplestorestate* store = nullptr;
  Datum* values = nullptr;
  bool* nulls = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    // The batch's memory, in which the rows are already: they are no need of the definition.
    store = tuplestore_begin_heap(false, false, std::max(work_mem, pg::settings::batch_memory));
    values = static_cast<Datum*>(palloc0(sizeof(Datum) * descriptor->natts));
    nulls = static_cast<bool*>(palloc0(sizeof(bool) * descriptor->natts));
  }));
  TVIEWS_RETURN_IF_ERROR(PutRows(descriptor, rows, values, nulls, store));
  return pg::Call([&] {
    auto* const named =
        static_cast<EphemeralNamedRelation>(palloc0(sizeof(EphemeralNamedRelationData)));
    named->md.name = pstrdup(name);
    named->md.reliddesc = InvalidOid;
    named->md.tupdesc = descriptor;
    named->md.enrtype = ENR_NAMED_TUPLESTORE;
    named->md.enrtuples = static_cast<double>(expected_rows);
    named->reldata = store;
    const int code = SPI_register_relation(named);
    if (code != SPI_OK_REL_REGISTER) {
      elog(ERROR, "SPI_register_relation failed: %s", SPI_result_code_string(code));
    }
  });
}

}  // namespace tviews::worker
