#include "worker/refresh/refresh_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
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
#include <miscadmin.h>
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
  std::vector<std::string>* written_keys = nullptr;  // null: nobody asks
  const KeyCodec* codec = nullptr;
  bool key_is_image_equal = true;
  const KeySet* left_alone = nullptr;  // keys that are known to fail
  RowFailures* failures = nullptr;     // null: a failing row ends the refresh
};

void NoteChange(void* argument, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  auto* const notes = static_cast<Notes*>(argument);
  if (notes->changes != nullptr) {
    pg::Enter<bool>([notes, old_row, new_row]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR(notes->changes->Add(old_row, new_row));
      return true;
    });
  }
  if (notes->written_keys != nullptr) {
    pg::Enter<bool>([notes, old_row, new_row]() -> absl::StatusOr<bool> {
      TupleTableSlot* const row = new_row != nullptr ? new_row : old_row;
      TVIEWS_RETURN_IF_ERROR(pg::Call([row] { slot_getallattrs(row); }));
      TVIEWS_ASSIGN_OR_RETURN(notes->written_keys->emplace_back(), notes->codec->ImageOf(row));
      return true;
    });
  }
  if (notes->feed != nullptr) AddToFeed(notes->feed, old_row, new_row);
}

// Keys that are equal under different images are told apart by the stored row instead.
KeyNote NoteKey(void* argument, TupleTableSlot* row) {
  auto* const notes = static_cast<Notes*>(argument);
  return pg::Enter<KeyNote>([notes, row]() -> absl::StatusOr<KeyNote> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, notes->codec->ImageOf(row));
    const KeyNote note = notes->missing->CrossOff(image);
    return notes->key_is_image_equal ? note : KeyNote::kNew;
  });
}

KeyNote FindLeftAlone(void* argument, TupleTableSlot* row) {
  auto* const notes = static_cast<Notes*>(argument);
  return pg::Enter<KeyNote>([notes, row]() -> absl::StatusOr<KeyNote> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, notes->codec->ImageOf(row));
    TVIEWS_ASSIGN_OR_RETURN(const bool is_left_alone, notes->left_alone->Contains(image));
    return is_left_alone ? KeyNote::kLeftAlone : KeyNote::kNew;
  });
}

absl::Status KeyTwice() {
  return pg::MakeError(
      absl::StatusCode::kAlreadyExists,
      {.message = "the defining query returns the key twice", .sqlstate = "23505"});
}

void NoteBadKey(void* argument, TupleTableSlot* row) {
  auto* const notes = static_cast<Notes*>(argument);
  if (row == nullptr) {
    notes->failures->has_null_key = true;
    return;
  }
  pg::Enter<bool>([notes, row]() -> absl::StatusOr<bool> {
    TVIEWS_ASSIGN_OR_RETURN(std::string image, notes->codec->ImageOf(row));
    notes->failures->keys.emplace_back(std::move(image), KeyTwice());
    if (notes->failures->are_too_many()) return KeyTwice();
    return true;
  });
}

WriterCallbacks CallbacksOf(Notes* notes, SharedCounter* rows_done) {
  WriterCallbacks callbacks{};
  callbacks.argument = notes;
  if (notes->changes != nullptr || notes->feed != nullptr || notes->written_keys != nullptr) {
    callbacks.on_change = NoteChange;
  }
  if (notes->missing != nullptr) callbacks.on_key = NoteKey;
  if (notes->left_alone != nullptr && !notes->left_alone->empty()) {
    callbacks.on_key = FindLeftAlone;
  }
  if (notes->failures != nullptr) callbacks.on_bad_key = NoteBadKey;
  callbacks.rows_done = rows_done;
  return callbacks;
}

// Inserts what was kept, each row in a subtransaction, so that one that fails leaves no trace.
absl::Status InsertOneByOne(TviewWriter* writer, const Notes& notes) {
  for (;;) {
    TVIEWS_ASSIGN_OR_RETURN(const bool any, pg::CallFor([&] { return NextCollected(writer); }));
    if (!any) return absl::OkStatus();
    const absl::Status status =
        pg::RunSubtransaction([&] { return pg::Call([&] { InsertCurrent(writer); }); });
    if (status.ok()) continue;
    if (pg::IsTransient(status)) return status;
    TVIEWS_ASSIGN_OR_RETURN(std::string image, notes.codec->ImageOf(CollectedRow(writer)));
    notes.failures->keys.emplace_back(std::move(image), status);
    if (notes.failures->are_too_many()) return status;
  }
}

// The key in the columns of a row, or a part of it as a source key; nullopt if one of them is NULL.
absl::StatusOr<std::optional<std::string>> KeyIn(TupleTableSlot* row,
                                                 const std::vector<pg::TypeShape>& shapes,
                                                 bool is_part) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([row] { slot_getallattrs(row); }));
  std::string key;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (row->tts_isnull[i]) return std::nullopt;
    if (shapes.size() == 1 && !is_part) return pg::DatumImage(row->tts_values[0], shapes[0]);
    TVIEWS_RETURN_IF_ERROR(pg::AppendDatumField(row->tts_values[i], false, shapes[i], &key));
  }
  return key;
}

absl::StatusOr<std::vector<pg::TypeShape>> ShapesOf(const TviewDefinition& tview,
                                                    const std::vector<std::size_t>& part) {
  std::vector<pg::TypeShape> shapes;
  for (const std::size_t i : part) {
    TVIEWS_ASSIGN_OR_RETURN(shapes.emplace_back(), pg::ShapeOf(tview.key[i].type));
  }
  return shapes;
}

}  // namespace

// How a comparison goes on where a row fails.
struct RefreshExecutor::Tolerance {
  const KeySet& left_alone;
  RowFailures* failures;
};

absl::Status RefreshExecutor::Lookup(
    const TviewDefinition& tview, const SourceLineage& source, const LineagePath& path,
    const std::vector<std::string>& source_keys,
    absl::FunctionRef<void(std::optional<std::string_view>)> emit) {
  const bool is_part = !path.part.empty();
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::TypeShape> shapes,
                          ShapesOf(tview, is_part ? path.part : WholeKey(tview)));
  const auto emit_key = [&](TupleTableSlot* row) -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> key, KeyIn(row, shapes, is_part));
    emit(key);
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

absl::Status RefreshExecutor::CheckInterrupts() {
  return pg::Call([] { CHECK_FOR_INTERRUPTS(); });
}

absl::Status RefreshExecutor::Complete(const TviewDefinition& tview,
                                       const std::vector<std::size_t>& part,
                                       const std::vector<std::string>& rows,
                                       absl::FunctionRef<void(std::string_view)> emit) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::TypeShape> shapes,
                          ShapesOf(tview, WholeKey(tview)));
  const auto emit_key = [&](TupleTableSlot* row) -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> key, KeyIn(row, shapes, false));
    if (key.has_value()) emit(*key);
    return absl::OkStatus();
  };
  absl::FunctionRef<absl::Status(TupleTableSlot*)> visit = emit_key;
  FunctionReceiver receiver = MakeReceiver(&visit);
  const pg::KeyPlanning planning;
  const pg::PageCostsOfBatch page_costs;
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const bool each, shapes_.IsCheaperEach(tview, part, rows.size()));
    TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor, DescribeKeys(tview, part));
    const std::size_t magnitude = MagnitudeOf(rows.size());
    TVIEWS_RETURN_IF_ERROR(RegisterRows(kPartName, descriptor, rows, magnitude));
    TVIEWS_RETURN_IF_ERROR(statements_.Execute(PartKeysStatement(tview, part, each),
                                               Planning::kGeneric, magnitude, {},
                                               &receiver.receiver));
    return pg::Call([] { SPI_unregister_relation(kPartName); });
  });
}

absl::Status RefreshExecutor::SelectKeys(const TviewDefinition& tview, const std::string& sql,
                                         const std::optional<std::string>& parameter,
                                         absl::FunctionRef<void(std::string_view)> emit) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::TypeShape> shapes,
                          ShapesOf(tview, WholeKey(tview)));
  const auto emit_key = [&](TupleTableSlot* row) -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> key, KeyIn(row, shapes, false));
    if (key.has_value()) emit(*key);
    return absl::OkStatus();
  };
  absl::FunctionRef<absl::Status(TupleTableSlot*)> visit = emit_key;
  FunctionReceiver receiver = MakeReceiver(&visit);
  StatementParameters parameters;
  if (parameter.has_value()) {
    TVIEWS_ASSIGN_OR_RETURN(parameters, KeyParameters(tview, {*parameter}, RefreshShape::kSingle));
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi([&] {
    return statements_.Execute(sql, Planning::kGeneric, 0, parameters, &receiver.receiver);
  });
}

absl::Status RefreshExecutor::AllKeys(const TviewDefinition& tview, std::size_t most,
                                      absl::flat_hash_set<std::string>* keys) {
  return SelectKeys(tview, AllKeysStatement(tview, most + 1), std::nullopt,
                    [keys](std::string_view image) { keys->emplace(image); });
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
  Notes notes;
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
      writer = OpenTviewWriter(tview.relation, key, snapshot, mode, true,
                               CallbacksOf(&notes, rows_done_));
    }));
    const std::string query = RefreshStatement(tview, RefreshShape::kWhole);
    if (IsEmpty(writer)) {
      TVIEWS_ASSIGN_OR_RETURN(const double rows, statements_.EstimateRows(query));
      rows_total_->Store(static_cast<std::uint64_t>(rows));
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
  Notes notes;
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
    const bool track_seen = !tview.key_is_image_equal();
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, key, snapshot, mode, track_seen,
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

// Large sets of keys are shared with helper processes, where the query allows that.
absl::Status RefreshExecutor::Recompute(const TviewDefinition& tview,
                                        const std::vector<std::string>& keys,
                                        _DestReceiver* destination) {
  TVIEWS_ASSIGN_OR_RETURN(const ChosenShape alone, shapes_.Choose(tview, keys, !is_careful_));
  TVIEWS_ASSIGN_OR_RETURN(const int helpers, ChooseHelpers(tview, keys.size()));
  if (helpers > 0) {
    const std::vector<std::string> slice = SliceOf(keys, 0, SlicesFor(keys.size(), helpers));
    // Combinations of several columns' values overlap those of other slices.
    const bool may_return_others = !is_careful_ && tview.key.size() == 1;
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

absl::StatusOr<bool> RefreshExecutor::HasNullKey(const TviewDefinition& tview) {
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
  return found;
}

absl::Status RefreshExecutor::Probe(const TviewDefinition& tview, SnapshotData* snapshot) {
  Notes notes;
  const KeyAttributes key = AttributesOf(tview);
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope scope,
                          pg::UserScope::AsDefinitionOwner(tview.owner, tview.settings));
  return pg::WithSpi([&]() -> absl::Status {
    TviewWriter* writer = nullptr;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      writer = OpenTviewWriter(tview.relation, key, snapshot, WriteMode::kInPlace, false,
                               CallbacksOf(&notes, rows_done_));
    }));
    TVIEWS_RETURN_IF_ERROR(
        statements_.Execute(ProbeStatement(tview), Planning::kGeneric, 0, {}, ReceiverOf(writer)));
    return pg::Call([&] { CloseTviewWriter(writer); });
  });
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
