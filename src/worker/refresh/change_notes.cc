#include "worker/refresh/change_notes.h"

#include <algorithm>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/datum_image.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/tupdesc.h>
#include <executor/tuptable.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

pg::TypeShape ShapeOfColumn(TupleTableSlot* row, AttributeNumber attribute) {
  const Form_pg_attribute column = TupleDescAttr(row->tts_tupleDescriptor, attribute - 1);
  return {.length = column->attlen, .by_value = column->attbyval};
}

}  // namespace

ChangeNotes::ChangeNotes(RelationId tview, const ReaderColumns& readers, DeltaSet* changes)
    : tview_(tview), readers_(readers), changes_(changes) {
  layout_.columns = readers.captured;
}

absl::Status ChangeNotes::Add(TupleTableSlot* old_row, TupleTableSlot* new_row) {
  layout_.changed.clear();
  if (old_row != nullptr && new_row != nullptr) {
    TVIEWS_RETURN_IF_ERROR(FindChanged(old_row, new_row));
    if (layout_.changed.empty()) return absl::OkStatus();
  }
  if (old_row != nullptr) {
    TVIEWS_RETURN_IF_ERROR(FindKey(old_row, &old_key_));
    changes_->Add(tview_, layout_, old_key_);
  }
  if (new_row == nullptr) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(FindKey(new_row, &new_key_));
  // Mostly both versions have the same.
  if (old_row == nullptr || new_key_ != old_key_) changes_->Add(tview_, layout_, new_key_);
  return absl::OkStatus();
}

absl::Status ChangeNotes::FindChanged(TupleTableSlot* old_row, TupleTableSlot* new_row) {
  const bool whole_row = !readers_.relevant.empty() && readers_.relevant.front() == 0;
  const int columns = old_row->tts_tupleDescriptor->natts;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { slot_getallattrs(old_row); }));
  for (AttributeNumber attribute = 1; attribute <= columns; ++attribute) {
    if (!whole_row &&
        !std::binary_search(readers_.relevant.begin(), readers_.relevant.end(), attribute)) {
      continue;
    }
    const int i = attribute - 1;
    bool same = old_row->tts_isnull[i] == new_row->tts_isnull[i];
    if (same && !old_row->tts_isnull[i]) {
      TVIEWS_ASSIGN_OR_RETURN(same, pg::SameImage(old_row->tts_values[i], new_row->tts_values[i],
                                                  ShapeOfColumn(old_row, attribute)));
    }
    if (!same) layout_.changed.push_back(attribute);
  }
  return absl::OkStatus();
}

absl::Status ChangeNotes::FindKey(TupleTableSlot* row, std::string* key) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([row] { slot_getallattrs(row); }));
  key->clear();
  for (const CapturedColumn& column : layout_.columns) {
    const int i = column.attribute - 1;
    TVIEWS_RETURN_IF_ERROR(pg::AppendDatumField(row->tts_values[i], row->tts_isnull[i],
                                                ShapeOfColumn(row, column.attribute), key));
  }
  return absl::OkStatus();
}

}  // namespace tviews::worker
