#include "worker/change_notes.h"

#include <algorithm>

#include "shared/pg/datum_image.h"
#include "shared/pg/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/postgres_begin.h"
#include <access/tupdesc.h>
#include <executor/tuptable.h>
#include "shared/pg/postgres_end.h"

namespace tviews::worker {
namespace {

pg::TypeShape ShapeOfColumn(TupleTableSlot* row, AttributeNumber attribute) {
  const Form_pg_attribute column = TupleDescAttr(row->tts_tupleDescriptor, attribute - 1);
  return {.length = column->attlen, .by_value = column->attbyval};
}

}  // namespace

absl::Status ChangeNotes::Add(TupleTableSlot* old_row, TupleTableSlot* new_row) {
  Layout layout;
  layout.columns = readers_.captured;
  if (old_row != nullptr && new_row != nullptr) {
    TVIEWS_RETURN_IF_ERROR(FindChanged(old_row, new_row, &layout.changed));
    if (layout.changed.empty()) return absl::OkStatus();
  }
  if (old_row != nullptr) TVIEWS_RETURN_IF_ERROR(AddVersion(old_row, layout));
  if (new_row != nullptr) TVIEWS_RETURN_IF_ERROR(AddVersion(new_row, layout));
  return absl::OkStatus();
}

absl::Status ChangeNotes::FindChanged(TupleTableSlot* old_row, TupleTableSlot* new_row,
                                      std::vector<AttributeNumber>* changed) {
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
    if (!same) changed->push_back(attribute);
  }
  return absl::OkStatus();
}

absl::Status ChangeNotes::AddVersion(TupleTableSlot* row, const Layout& layout) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] { slot_getallattrs(row); }));
  std::string key;
  for (const CapturedColumn& column : layout.columns) {
    const int i = column.attribute - 1;
    TVIEWS_RETURN_IF_ERROR(pg::AppendDatumField(row->tts_values[i], row->tts_isnull[i],
                                                ShapeOfColumn(row, column.attribute), &key));
  }
  changes_->Add(tview_, layout, key);
  return absl::OkStatus();
}

}  // namespace tviews::worker
