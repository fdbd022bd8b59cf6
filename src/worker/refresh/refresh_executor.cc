#include "worker/refresh/refresh_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/planner/key_planner.h"
#include "shared/pg/planner/page_costs.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/server/snapshot.h"
#include "shared/pg/tables/catalog.h"
#include "shared/source_key.h"
#include "shared/status_macros.h"
#include "worker/core/key_checklist.h"
#include "worker/helpers/helper_task.h"
#include "worker/helpers/helpers.h"
#include "worker/refresh/change_notes.h"
#include "worker/refresh/key_statement.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/named_rows.h"
#include "worker/refresh/parallel_safety.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/tupdesc.h>
#include <executor/spi.h>
#include <executor/tuptable.h>
#include <tcop/dest.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

constexpr char kDeltaName[] = "pg_tviews_delta";

// Keys that one statement recomputes; more are done in several, so that memory stays bounded.
constexpr std::size_t kKeysPerStatement = 50000;

// Hands every row of a query to a C++ function.
struct FunctionReceiver {
  DestReceiver receiver;  // first
  absl::FunctionRef<absl::Status(TupleTableSlot*)>* visit;

  static bool Receive(TupleTableSlot* row, DestReceiver* self) {
    auto* const visit = reinterpret_cast<FunctionReceiver*>(self)->visit;
    return pg::Enter<bool>([visit, row]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR((*visit)(row));
      return true;
    });
  }
};

FunctionReceiver MakeReceiver(absl::FunctionRef<absl::Status(TupleTableSlot*)>* visit) {
  FunctionReceiver receiver{};
  pg::InitializeReceiver(&receiver.receiver, FunctionReceiver::Receive);
  receiver.visit = visit;
  return receiver;
}

// What the writer calls back: notes changes for readers and for the change feed, and crosses off
// the keys that the query returned.
struct Notes {
  ChangeNotes* changes = nullptr;  // null: no TVIEW reads this one
  ChangeFeed* feed = nullptr;      // null: it has none
  KeyChecklist* missing = nullptr;
  pg::TypeShape key_shape;
  bool key_is_image_equal = true;
};

void NoteChange(void* argument, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  auto* const notes = static_cast<Notes*>(argument);
  if (notes->changes != nullptr) {
    pg::Enter<bool>([notes, old_row, new_row]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(notes->changes->Add(old_row, new_row));
      return true;
    });
  }
  if (notes->feed != nullptr) AddToFeed(notes->feed, old_row, new_row);
}

// Keys that are equal under different images are told apart by the stored row instead.
KeyNote NoteKey(void* argument, std::uintptr_t key) {
  auto* const notes = static_cast<Notes*>(argument);
  return pg::Enter<KeyNote>([notes, key]() -> absl::StatusOr<KeyNote> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, pg::DatumImage(key, notes->key_shape));
    const KeyNote note = notes->missing->CrossOff(image);
    return notes->key_is_image_equal ? note : KeyNote::kNew;
  });
}

WriterCallbacks CallbacksOf(Notes* notes, SharedCounter* rows_done) {
  return {.argument = notes,
          .on_change = notes->changes != nullptr || notes->feed != nullptr ? NoteChange : nullptr,
          .on_key = notes->missing != nullptr ? NoteKey : nullptr,
          .rows_done = rows_done};
}

}  // namespace

absl::Status RefreshExecutor::Lookup(const TviewDefinition& tview, const SourceLineage& source,
                                     const LineagePath& path,
                                     const std::vector<std::string>& source_keys,
                                     absl::FunctionRef<void(std::string_view)> emit) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  const auto emit_key = [&](TupleTableSlot* row) -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { slot_getallattrs(row); }));
    if (row->tts_isnull[0]) return absl::OkStatus();
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, pg::DatumImage(row->tts_values[0], shape));
    emit(image);
    return absl::OkStatus();
  };
  absl::FunctionRef<absl::Status(TupleTableSlot*)> visit = emit_key;
  FunctionReceiver receiver = MakeReceiver(&visit);
  const pg::PageCostsOfBatch page_costs;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor,
                            DescribeDelta(source.source, path.captured));
    const std::size_t magnitude = MagnitudeOf(source_keys.size());
    TVIEWS_RETURN_IF_ERROR(RegisterRows(kDeltaName, descriptor, source_keys, magnitude));
    return statements_.Execute(path.lookup, Planning::kGeneric, magnitude, {}, &receiver.receiver);
  });
}

absl::Status RefreshExecutor::SelectKeys(const TviewDefinition& tview, const std::string& sql,
                                         const std::optional<std::string>& parameter,
                                         absl::FunctionRef<void(std::string_view)> emit) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape shape, pg::ShapeOf(tview.key_type));
  const auto emit_key = [&](TupleTableSlot* row) -> absl::Status {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] { slot_getallattrs(row); }));
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, pg::DatumImage(row->tts_values[0], shape));
    emit(image);
    return absl::OkStatus();
  };
  absl::FunctionRef<absl::Status(TupleTableSlot*)> visit = emit_key;
  FunctionReceiver receiver = MakeReceiver(&visit);
  StatementParameter value;
  if (parameter.has_value()) {
    value.type = tview.key_type;
    TVIEWS_ASSIGN_OR_RETURN(value.value, pg::DatumFromImage(*parameter, shape));
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi(
      [&] { return statements_.Execute(sql, Planning::kGeneric, 0, value, &receiver.receiver); });
}

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
    TVIEWS_ASSIGN_OR_RETURN(counts, RefreshWhole(tview, readers, mode, snapshot, feed, changes));
  } else {
    TVIEWS_ASSIGN_OR_RETURN(counts, RefreshSlices(tview, SortKeys(affected, tview.key_type),
                                                  readers, mode, snapshot, feed, changes));
    TVIEWS_RETURN_IF_ERROR(CheckNoNullKey(tview));
  }
  if (feed != nullptr) TVIEWS_RETURN_IF_ERROR(pg::Call([feed] { CloseChangeFeed(feed); }));
  if (counts.inserted + counts.updated + counts.deleted > 0) written_.insert(tview.relation);
  return counts;
}

absl::StatusOr<WriteCounts> RefreshExecutor::RefreshSlices(const TviewDefinition& tview,
                                                           const std::vector<std::string>& keys,
                                                           const ReaderColumns& readers,
                                                           WriteMode mode, SnapshotData* snapshot,
                                                           ChangeFeed* feed, DeltaSet* changes) {
  const pg::PageCostsOfBatch page_costs;
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
                                                          ChangeFeed* feed, DeltaSet* changes) {
  ChangeNotes change_notes(tview.relation, readers, changes);
  Notes notes{.changes = readers.any ? &change_notes : nullptr,
              .feed = feed,
              .missing = nullptr,
              .key_shape = {},
              .key_is_image_equal = true};
  WriteCounts counts{};
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, tview.key_attribute, snapshot, mode, true,
                               CallbacksOf(&notes, rows_done_));
    }));
    const std::string query = RefreshStatement(tview, RefreshShape::kWhole);
    if (IsEmpty(writer)) {
      TVIEWS_ASSIGN_OR_RETURN(const double rows, statements_.EstimateRows(query));
      rows_total_->Store(static_cast<std::uint64_t>(rows));
    }
    TVIEWS_RETURN_IF_ERROR(
        statements_.Execute(query, Planning::kGeneric, 0, {}, ReceiverOf(writer)));
    return pg::Call([&] {
      DeleteUnseen(writer);
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
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape key_shape, pg::ShapeOf(tview.key_type));
  ChangeNotes change_notes(tview.relation, readers, changes);
  KeyChecklist missing(keys);
  Notes notes{.changes = readers.any ? &change_notes : nullptr,
              .feed = feed,
              .missing = &missing,
              .key_shape = key_shape,
              .key_is_image_equal = tview.key_is_image_equal};
  WriteCounts counts{};
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    // Keys that are equal under different images must not delete each other's row.
    const bool track_seen = !tview.key_is_image_equal;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, tview.key_attribute, snapshot, mode, track_seen,
                               CallbacksOf(&notes, rows_done_));
    }));
    TVIEWS_RETURN_IF_ERROR(Recompute(tview, keys, ReceiverOf(writer)));
    for (const std::string& image : missing.Remaining()) {
      TVIEWS_ASSIGN_OR_RETURN(const Datum key, pg::DatumFromImage(image, key_shape));
      TVIEWS_RETURN_IF_ERROR(pg::Call([&] { DeleteMissingKey(writer, key); }));
    }
    return pg::Call([&] {
      if (mode == WriteMode::kCollect) InsertCollected(writer);
      counts = CloseTviewWriter(writer);
    });
  }));
  return counts;
}

// Large sets of keys are shared with helper processes, where the query allows that.
absl::Status RefreshExecutor::Recompute(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys,
                                        _DestReceiver* destination) {
  TVIEWS_ASSIGN_OR_RETURN(const ChosenShape alone, shapes_.Choose(tview, keys, !is_careful_));
  TVIEWS_ASSIGN_OR_RETURN(const int helpers, ChooseHelpers(tview, keys.size()));
  if (helpers > 0) {
    const std::vector<std::string> slice = SliceOf(keys, 0, SlicesFor(keys.size(), helpers));
    TVIEWS_ASSIGN_OR_RETURN(const ChosenShape shared, shapes_.Choose(tview, slice, !is_careful_));
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
  const int helpers = is_careful_ ? 0 : HelpersFor(keys);
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

// A key that the root's nullable side leaves empty belongs to no key that lineage names, so it is
// looked for after every refresh (LINEAGE counterexample 22).
absl::Status RefreshExecutor::CheckNoNullKey(const TviewDefinition& tview) {
  if (tview.key_is_not_null) return absl::OkStatus();
  bool found = false;
  const auto note_row = [&](TupleTableSlot*) {
    found = true;
    return absl::OkStatus();
  };
  absl::FunctionRef<absl::Status(TupleTableSlot*)> visit = note_row;
  FunctionReceiver receiver = MakeReceiver(&visit);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  TVIEWS_RETURN_IF_ERROR(pg::WithSpi([&] {
    return statements_.Execute(NullKeyStatement(tview), Planning::kGeneric, 0, {},
                               &receiver.receiver);
  }));
  if (!found) return absl::OkStatus();
  return pg::MakeError(
      absl::StatusCode::kFailedPrecondition,
      {.message = absl::StrCat("the defining query of TVIEW ", tview.qualified_name,
                               " returns a row whose key is null"),
       .sqlstate = "23502"});
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
