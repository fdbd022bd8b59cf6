#include "worker/refresh/write_notes.h"

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/tuptable.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

void NoteChange(void* argument, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  auto* const notes = static_cast<WriteNotes*>(argument);
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
  auto* const notes = static_cast<WriteNotes*>(argument);
  return pg::Enter<KeyNote>([notes, row]() -> absl::StatusOr<KeyNote> {
    TVIEWS_ASSIGN_OR_RETURN(const std::string image, notes->codec->ImageOf(row));
    const KeyNote note = notes->missing->CrossOff(image);
    return notes->key_is_image_equal ? note : KeyNote::kNew;
  });
}

KeyNote FindLeftAlone(void* argument, TupleTableSlot* row) {
  auto* const notes = static_cast<WriteNotes*>(argument);
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
  auto* const notes = static_cast<WriteNotes*>(argument);
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

}  // namespace

WriterCallbacks CallbacksOf(WriteNotes* notes, SharedCounter* rows_done) {
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

absl::Status InsertOneByOne(TviewWriter* writer, const WriteNotes& notes) {
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

}  // namespace tviews::worker
