#include "worker/refresh/refresh_executor.h"

#include <algorithm>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/planner/group_reading.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/pg/planner/planned_cost.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/row_estimate.h"
#include "shared/status_macros.h"
#include "worker/core/key_checklist.h"
#include "worker/helpers/helper_task.h"
#include "worker/helpers/helpers.h"
#include "worker/refresh/change_notes.h"
#include "worker/refresh/key_statement.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/parallel_safety.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <tcop/dest.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Keys that one statement recomputes; more are done in several, so that memory stays bounded.
constexpr std::size_t kKeysPerStatement = 50000;

}  // namespace

// How a comparison goes on where a row fails.
struct RefreshExecutor::Tolerance {
  const KeySet& left_alone;
  RowFailures* failures;
};

absl::StatusOr<ChangeFeed*> RefreshExecutor::OpenFeed(const TviewDefinition& tview) {
  if (!tview.has_feed()) return nullptr;
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, pg::CatalogTableId(pg::CatalogTable::kFeed));
  frontier_text_ = pg::FormatSnapshot(*frontier_);
  return pg::CallFor([&] { return OpenChangeFeed(tview, table, frontier_text_.c_str()); });
}

absl::StatusOr<WriteCounts> RefreshExecutor::Refresh(const TviewDefinition& tview,
                                                     const AffectedKeys& affected,
                                                     const ReaderColumns& readers, WriteMode mode,
                                                     SnapshotData* snapshot, DeltaSet* changes) {
  const pg::KeyPlanning planning;
  TVIEWS_ASSIGN_OR_RETURN(ChangeFeed* const feed, OpenFeed(tview));
  WriteCounts counts{};
  if (affected.everything) {
    TVIEWS_ASSIGN_OR_RETURN(counts,
                            RefreshWhole(tview, readers, mode, snapshot, feed, changes, nullptr));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(counts, RefreshSlices(tview, SortKeys(affected, tview), readers, mode,
                                                  snapshot, feed, changes));
  }
  TVIEWS_RETURN_IF_ERROR(FinishFeed(tview, counts, feed));
  return counts;
}

absl::StatusOr<WriteCounts> RefreshExecutor::RefreshAllBut(
    const TviewDefinition& tview, const KeySet& left_alone, const ReaderColumns& readers,
    SnapshotData* snapshot, DeltaSet* changes, RowFailures* failures) {
  const pg::KeyPlanning planning;
  TVIEWS_ASSIGN_OR_RETURN(ChangeFeed* const feed, OpenFeed(tview));
  Tolerance tolerance{.left_alone = left_alone, .failures = failures};
  TVIEWS_ASSIGN_OR_RETURN(
      const WriteCounts counts,
      RefreshWhole(tview, readers, WriteMode::kCollect, snapshot, feed, changes, &tolerance));
  TVIEWS_RETURN_IF_ERROR(FinishFeed(tview, counts, feed));
  return counts;
}

absl::Status RefreshExecutor::FinishFeed(const TviewDefinition& tview, const WriteCounts& counts,
                                         ChangeFeed* feed) {
  if (feed != nullptr) TVIEWS_RETURN_IF_ERROR(pg::Call([feed] { CloseChangeFeed(feed); }));
  if (counts.inserted + counts.updated + counts.deleted > 0) written_.insert(tview.relation);
  return absl::OkStatus();
}

absl::StatusOr<WriteCounts> RefreshExecutor::RefreshSlices(const TviewDefinition& tview,
                                                           const std::vector<std::string>& keys,
                                                           const ReaderColumns& readers,
                                                           WriteMode mode, SnapshotData* snapshot,
                                                           ChangeFeed* feed, DeltaSet* changes) {
  const pg::PageCostsOfBatch page_costs;
  const UsableStates none;
  const UsableStates& states = states_ == nullptr ? none : *states_;
  const pg::GroupStateUse use(states.list.data(), static_cast<int>(states.list.size()));
  const StatementCache::Variant variant(&statements_, states.name);
  WriteCounts total{};
  for (std::size_t begin = 0; begin < keys.size(); begin += kKeysPerStatement) {
    const std::size_t end = std::min(keys.size(), begin + kKeysPerStatement);
    const std::vector<std::string> slice(keys.begin() + begin, keys.begin() + end);
    TVIEWS_ASSIGN_OR_RETURN(const WriteCounts counts,
                            RefreshKeys(tview, slice, readers, mode, snapshot, feed, changes));
    total.inserted += counts.inserted;
    total.updated += counts.updated;
    total.deleted += counts.deleted;
    total.unchanged += counts.unchanged;
  }
  return total;
}

absl::StatusOr<WriteCounts> RefreshExecutor::RefreshWhole(const TviewDefinition& tview,
                                                          const ReaderColumns& readers,
                                                          WriteMode mode, SnapshotData* snapshot,
                                                          ChangeFeed* feed, DeltaSet* changes,
                                                          Tolerance* tolerance) {
  ChangeNotes change_notes(tview.relation, readers, changes);
  WriteNotes notes;
  if (readers.any) notes.changes = &change_notes;
  notes.feed = feed;
  TVIEWS_ASSIGN_OR_RETURN(const KeyCodec codec, KeyCodec::Make(tview));
  notes.codec = &codec;
  if (tolerance != nullptr) {
    notes.left_alone = &tolerance->left_alone;
    notes.failures = tolerance->failures;
  }
  WriteCounts counts{};
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, key, snapshot, mode, Seen::kAll,
                               CallbacksOf(&notes, rows_done_));
    }));
    const std::string query = RefreshStatement(tview, RefreshShape::kWhole);
    if (IsEmpty(writer)) {
      TVIEWS_ASSIGN_OR_RETURN(const double rows, statements_.EstimateRows(query));
      rows_total_->Store(RowEstimate(rows));
    }
    TVIEWS_RETURN_IF_ERROR(
        statements_.Execute(query, Planning::kGeneric, 0, {}, ReceiverOf(writer)));
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { DeleteUnseen(writer); }));
    if (tolerance != nullptr) TVIEWS_RETURN_IF_ERROR(InsertOneByOne(writer, notes));
    return pg::Call([&] {
      if (mode == WriteMode::kCollect) InsertCollected(writer);
      counts = CloseTviewWriter(writer);
    });
  }));
  return counts;
}

absl::StatusOr<WriteCounts> RefreshExecutor::RefreshKeys(const TviewDefinition& tview,
                                                         const std::vector<std::string>& keys,
                                                         const ReaderColumns& readers,
                                                         WriteMode mode, SnapshotData* snapshot,
                                                         ChangeFeed* feed, DeltaSet* changes) {
  TVIEWS_ASSIGN_OR_RETURN(const KeyCodec codec, KeyCodec::Make(tview));
  ChangeNotes change_notes(tview.relation, readers, changes);
  KeyChecklist missing(keys);
  WriteNotes notes;
  if (readers.any) notes.changes = &change_notes;
  notes.feed = feed;
  notes.missing = &missing;
  notes.written_keys = written_keys_;
  notes.codec = &codec;
  notes.key_is_image_equal = tview.key_is_image_equal();
  WriteCounts counts{};
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    // Keys that are equal under different images must not delete each other's row.
    const Seen seen = tview.key_is_image_equal() ? Seen::kForgotten : Seen::kRemembered;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, key, snapshot, mode, seen,
                               CallbacksOf(&notes, rows_done_));
    }));
    TVIEWS_RETURN_IF_ERROR(Recompute(tview, keys, ReceiverOf(writer)));
    for (const std::string& image : missing.Remaining()) {
      TVIEWS_ASSIGN_OR_RETURN(const std::vector<Datum> values, codec.Values(image));
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { DeleteMissingKey(writer, values.data()); }));
    }
    return pg::Call([&] {
      if (mode == WriteMode::kCollect) InsertCollected(writer);
      counts = CloseTviewWriter(writer);
    });
  }));
  return counts;
}

// Keys of several columns that are neighbours in the last one are ranges, one for each value of the
// others, where the planner finds that cheaper.
absl::Status RefreshExecutor::Recompute(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys,
                                        _DestReceiver* destination) {
  const bool may_return_others = mode_ == BatchMode::kTogether;
  TVIEWS_ASSIGN_OR_RETURN(const ChosenShape alone, shapes_.Choose(tview, keys, may_return_others));
  const KeyPart all{.keys = keys, .differ_in_last = tview.key.size() == 1};
  if (!may_return_others || tview.key.size() == 1 || keys.size() < kSmallestRange) {
    return RecomputePart(tview, all, alone, destination);
  }
  const std::vector<KeyPart> parts = PartsOfNeighbours(keys, tview, kSmallestRange);
  TVIEWS_ASSIGN_OR_RETURN(const ChosenShape first,
                          shapes_.Choose(tview, parts.front().keys, may_return_others));
  if (first.shape != RefreshShape::kRange || first.cost_per_key > alone.cost_per_key) {
    return RecomputePart(tview, all, alone, destination);
  }
  for (const KeyPart& part : parts) {
    TVIEWS_ASSIGN_OR_RETURN(const ChosenShape shape,
                            shapes_.Choose(tview, part.keys, may_return_others));
    TVIEWS_RETURN_IF_ERROR(RecomputePart(tview, part, shape, destination));
  }
  return absl::OkStatus();
}

// Large sets of keys are shared with helper processes, where the query allows that. Where keys
// differ in more columns than the last, a slice's rows of others may be another slice's own.
absl::Status RefreshExecutor::RecomputePart(const TviewDefinition& tview, const KeyPart& part,
                                            const ChosenShape& alone, _DestReceiver* destination) {
  const std::vector<std::string>& keys = part.keys;
  TVIEWS_ASSIGN_OR_RETURN(const int helpers, ChooseHelpers(tview, keys.size()));
  if (helpers > 0) {
    const std::vector<std::string> slice = SliceOf(keys, 0, SlicesFor(keys.size(), helpers));
    const bool may_return_others = mode_ == BatchMode::kTogether && part.differ_in_last;
    TVIEWS_ASSIGN_OR_RETURN(const ChosenShape shared,
                            shapes_.Choose(tview, slice, may_return_others));
    if (IsWorthSharing(keys.size(), helpers, alone.cost_per_key, shared.cost_per_key)) {
      TVIEWS_ASSIGN_OR_RETURN(
          const bool is_done,
          RunKeysWithHelpers(tview, keys, shared.shape, helpers, &statements_, destination));
      if (is_done) return absl::OkStatus();
    }
  }
  return RunKeys(tview, keys, alone.shape, &statements_, destination);
}

absl::StatusOr<int> RefreshExecutor::ChooseHelpers(const TviewDefinition& tview, std::size_t keys) {
  const int helpers = mode_ == BatchMode::kApart ? 0 : HelpersFor(keys);
  if (helpers == 0) return 0;
  for (const SourceLineage& source : tview.sources) {
    if (written_.contains(source.source)) return 0;
  }
  auto found = parallel_safe_.find(tview.relation);
  if (found == parallel_safe_.end()) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_safe,
                            IsParallelSafe(RefreshStatement(tview, RefreshShape::kWhole)));
    found = parallel_safe_.emplace(tview.relation, is_safe).first;
  }
  return found->second ? helpers : 0;
}

absl::Status RefreshExecutor::Probe(const TviewDefinition& tview, SnapshotData* snapshot) {
  WriteNotes notes;
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, key, snapshot, WriteMode::kInPlace, Seen::kForgotten,
                               CallbacksOf(&notes, rows_done_));
    }));
    TVIEWS_RETURN_IF_ERROR(
        statements_.Execute(ProbeStatement(tview), Planning::kGeneric, 0, {}, ReceiverOf(writer)));
    return pg::Call([&] { CloseTviewWriter(writer); });
  });
}

absl::StatusOr<RefreshExecutor::FillEstimate> RefreshExecutor::EstimateFill(
    const TviewDefinition& tview, const std::string& next_key) {
  const std::string whole = RefreshStatement(tview, RefreshShape::kWhole);
  FillEstimate estimate;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(estimate.rows, statements_.EstimateRows(whole));
    return pg::Call([&] {
      estimate.cost = pg::PlannedCost(whole.c_str());
      estimate.cost_of_key = pg::PlannedCost(next_key.c_str());
    });
  }));
  return estimate;
}

void RefreshExecutor::BeginBatch(const SnapshotBounds* frontier) {
  frontier_ = frontier;
  written_.clear();
}

void RefreshExecutor::ForgetStatements() {
  statements_.Clear();
  shapes_.Forget();
  parallel_safe_.clear();
}

}  // namespace tviews::worker
