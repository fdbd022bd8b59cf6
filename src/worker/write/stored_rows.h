// Finds stored rows of a TVIEW by key, through its primary key.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  every function may raise: call them inside pg::Call only
//
// A recomputing query mostly returns its rows in the order of their keys. Descending the index for
// each of them costs more than stepping to the next entry of its leaf, so after a run of ascending
// keys the finder steps, as long as the wanted entry is near. (1) Both ways find the same: the
// version that the snapshot sees.
//
// Where all rows are compared and the query returns them in another order, the places of all rows
// are read at once (StoredPlaces), after some descents.

#ifndef PG_TVIEWS_WORKER_WRITE_STORED_ROWS_H_
#define PG_TVIEWS_WORKER_WRITE_STORED_ROWS_H_

#include <cstdint>

#include "shared/tview_definition.h"
#include "shared/types.h"

struct RelationData;
struct SnapshotData;
struct TupleTableSlot;

namespace tviews::worker {

struct StoredRows;

// The most columns that an index, and so a key, can have.
inline constexpr int kMostKeyColumns = 32;

// The columns of a TVIEW's key.
struct KeyAttributes {
  int count;
  bool is_image_equal;  // two keys are equal if, and only if, their images are
  AttributeNumber numbers[kMostKeyColumns];
};

KeyAttributes AttributesOf(const TviewDefinition& tview);

// The index is closed by CloseStoredRows, the lock on it stays until the end of the transaction.
StoredRows* OpenStoredRows(RelationData* tview, const KeyAttributes& key, SnapshotData* snapshot);

// Puts the row whose key is made of the datums `key`, one for each column, into `row`; false if
// there is none.
bool FindStoredRow(StoredRows* rows, const std::uintptr_t* key, TupleTableSlot* row);

// Says that the rows of about the whole TVIEW will be looked for.
void ExpectWhole(StoredRows* rows);

// Prunes the page of `row`, a row that was found and is about to be updated, if it has no room for
// another version. `row` is empty afterwards.
void MakeRoom(StoredRows* rows, TupleTableSlot* row);

void CloseStoredRows(StoredRows* rows);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_WRITE_STORED_ROWS_H_
