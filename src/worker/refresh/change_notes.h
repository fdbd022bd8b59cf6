// Notes what a refresh changed in a TVIEW, for the TVIEWs that read it: the same delta that a
// trigger would have captured had the TVIEW been a table.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status

#ifndef PG_TVIEWS_WORKER_REFRESH_CHANGE_NOTES_H_
#define PG_TVIEWS_WORKER_REFRESH_CHANGE_NOTES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shared/delta.h"
#include "shared/types.h"

struct TupleTableSlot;

namespace tviews::worker {

// Which columns of a TVIEW its readers capture and read.
struct ReaderColumns {
  bool any = false;  // somebody reads it
  std::vector<CapturedColumn> captured;
  std::vector<AttributeNumber> relevant;  // ascending; 0: whole row
};

class ChangeNotes {
 public:
  ChangeNotes(RelationId tview, const ReaderColumns& readers, DeltaSet* changes);

  // One written row; `old_row` is null for an insert, `new_row` for a delete.
  absl::Status Add(TupleTableSlot* old_row, TupleTableSlot* new_row);

 private:
  // Adds the relevant columns whose images differ to layout_.changed.
  absl::Status FindChanged(TupleTableSlot* old_row, TupleTableSlot* new_row);
  // What readers capture of a row.
  absl::Status FindKey(TupleTableSlot* row, std::string* key);

  RelationId tview_;
  const ReaderColumns& readers_;
  DeltaSet* changes_;

  // Of the row at hand; kept from row to row for their memory.
  Layout layout_;
  std::string old_key_;
  std::string new_key_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_CHANGE_NOTES_H_
