#include "worker/refresh/key_queries.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/refresh_plan.h"
#include "shared/status_macros.h"
#include "worker/refresh/key_rows.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/named_rows.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/spi.h>
#include <miscadmin.h>
#include <tcop/dest.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr char kDeltaName[] = "pg_tviews_delta";

// Keys of which a column is NULL are nobody's.
absl::Status VisitWholeKeys(const TviewDefinition& tview,
                            absl::FunctionRef<void(std::string_view)> emit, RunQuery run) {
  const auto emit_key = [&](std::optional<std::string_view> key) {
    if (key.has_value()) emit(*key);
  };
  return VisitKeys(tview, {}, emit_key, run);
}

}  // namespace

absl::Status KeyQueries::Lookup(const TviewDefinition& tview, const SourceLineage& source,
                                const LineagePath& path,
                                const std::vector<std::string>& source_keys,
                                absl::FunctionRef<void(std::optional<std::string_view>)> emit) {
  return VisitKeys(tview, path.part, emit, [&](_DestReceiver* destination) -> absl::Status {
    const pg::PageCostsOfBatch page_costs;
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
    return pg::WithSpi([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor,
                              DescribeDelta(source.source, path.captured));
      const std::size_t magnitude = MagnitudeOf(source_keys.size());
      TVIEWS_RETURN_IF_ERROR(RegisterRows(kDeltaName, descriptor, source_keys, magnitude));
      return statements_.Execute(path.lookup, Planning::kGeneric, magnitude, {}, destination);
    });
  });
}

absl::Status KeyQueries::CheckInterrupts() {
  return pg::Call([] { CHECK_FOR_INTERRUPTS(); });
}

absl::Status KeyQueries::Complete(const TviewDefinition& tview,
                                  const std::vector<std::size_t>& part,
                                  const std::vector<std::string>& rows,
                                  absl::FunctionRef<void(std::string_view)> emit) {
  return VisitWholeKeys(tview, emit, [&](_DestReceiver* destination) -> absl::Status {
    const pg::KeyPlanning planning;
    const pg::PageCostsOfBatch page_costs;
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
    return pg::WithSpi([&]() -> absl::Status {
      TVIEWS_ASSIGN_OR_RETURN(const PartShape shape, shapes_.ChoosePart(tview, part, rows.size()));
      TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor, DescribeKeys(tview, part));
      const std::size_t magnitude = MagnitudeOf(rows.size());
      TVIEWS_RETURN_IF_ERROR(RegisterRows(kPartName, descriptor, rows, magnitude));
      TVIEWS_RETURN_IF_ERROR(statements_.Execute(PartKeysStatement(tview, part, shape),
                                                 Planning::kGeneric, magnitude, {}, destination));
      return pg::Call([] { SPI_unregister_relation(kPartName); });
    });
  });
}

absl::Status KeyQueries::SelectKeys(const TviewDefinition& tview, const std::string& sql,
                                    const std::optional<std::string>& parameter,
                                    absl::FunctionRef<void(std::string_view)> emit) {
  return VisitWholeKeys(tview, emit, [&](_DestReceiver* destination) -> absl::Status {
    StatementParameters parameters;
    if (parameter.has_value()) {
      TVIEWS_ASSIGN_OR_RETURN(parameters,
                              KeyParameters(tview, {*parameter}, RefreshShape::kSingle));
    }
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
    return pg::WithSpi(
        [&] { return statements_.Execute(sql, Planning::kGeneric, 0, parameters, destination); });
  });
}

absl::Status KeyQueries::AllKeys(const TviewDefinition& tview, std::size_t most,
                                 absl::flat_hash_set<std::string>* keys) {
  return SelectKeys(tview, AllKeysStatement(tview, most + 1), std::nullopt,
                    [keys](std::string_view image) { keys->emplace(image); });
}

absl::StatusOr<bool> KeyQueries::HasNullKey(const TviewDefinition& tview) {
  bool found = false;
  const auto note_row = [&](TupleTableSlot*) {
    found = true;
    return absl::OkStatus();
  };
  TVIEWS_RETURN_IF_ERROR(VisitRows(note_row, [&](_DestReceiver* destination) -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                            pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
    return pg::WithSpi([&] {
      return statements_.Execute(NullKeyStatement(tview), Planning::kGeneric, 0, {}, destination);
    });
  }));
  return found;
}

}  // namespace tviews::worker
