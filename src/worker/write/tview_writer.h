// Writes the rows of one TVIEW: compares each recomputed row with the stored one and changes only
// what differs.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  every function may raise: call them inside pg::Call only
//
// Written in the server's style - plain data, no destructors - because it is a DestReceiver: the
// executor of the recomputing query hands it one row after the other. Rows go through the table
// access method and the indexes directly, without a second query. The stored row is found by the
// primary key, under the batch's snapshot S, so it is the version as of the previous frontier.
//
// (1) A row is compared by the image of every column, never by `=`.
// (2) A key that the query returns twice raises a unique violation.
// (3) `on_change` sees the old and the new version of every row that is written.
// (4) With `on_bad_key` neither a key that comes twice nor a null one raises: it is told of, and
// the
//     row is not written.

#ifndef PG_TVIEWS_WORKER_WRITE_TVIEW_WRITER_H_
#define PG_TVIEWS_WORKER_WRITE_TVIEW_WRITER_H_

#include <cstdint>

#include "shared/shared_counter.h"
#include "shared/types.h"
#include "worker/core/key_checklist.h"
#include "worker/write/stored_rows.h"

struct SnapshotData;
struct TupleTableSlot;
struct _DestReceiver;

namespace tviews::worker {

// How a differing row is written.
enum class WriteMode : std::uint8_t {
  kInPlace,  // update, insert
  kCollect,  // only delete the old versions; keep the new ones for InsertCollected. For rows
             // that swap values of a unique column, which row-at-a-time writing trips over.
};

// Which stored rows the query returned: remembered, for keys that come twice, or not; kAll, for
// DeleteUnseen too: the query is to return about all of them.
enum class Seen : std::uint8_t { kForgotten, kRemembered, kAll };

struct WriteCounts {
  std::uint64_t inserted;
  std::uint64_t updated;
  std::uint64_t deleted;
  std::uint64_t unchanged;
};

// Called for every written row: `old_row` is null for an insert, `new_row` for a delete. May raise.
// `on_key` is called for every row that the query returned; rows of keys that are not listed are
// ignored, and with kLeftAlone the stored row stays as it is. `on_bad_key`: a row that cannot be
// written, a null pointer for one whose key is null. The rows are deformed. `rows_done` counts the
// rows that the query returned.
struct WriterCallbacks {
  void* argument;
  void (*on_change)(void* argument, TupleTableSlot* old_row, TupleTableSlot* new_row);
  KeyNote (*on_key)(void* argument, TupleTableSlot* row);
  void (*on_bad_key)(void* argument, TupleTableSlot* row);
  SharedCounter* rows_done;
};

struct TviewWriter;

// Opens the TVIEW for writing.
TviewWriter* OpenTviewWriter(RelationId tview, const KeyAttributes& key, SnapshotData* snapshot,
                             WriteMode mode, Seen seen, const WriterCallbacks& callbacks);

// kInPlace: true if the TVIEW had no rows when it was opened.
bool IsEmpty(const TviewWriter* writer);

// The receiver that a query's rows are sent to.
_DestReceiver* ReceiverOf(TviewWriter* writer);

// Deletes the stored row of `key`, a datum for each column, unless the query returned it.
void DeleteMissingKey(TviewWriter* writer, const std::uintptr_t* key);

// REQUIRES: Seen::kAll. Deletes every stored row that the query did not return.
void DeleteUnseen(TviewWriter* writer);

// kCollect: inserts what was kept.
void InsertCollected(TviewWriter* writer);

// The same row by row: goes to the next one that was kept, or returns false; the row; inserts it.
bool NextCollected(TviewWriter* writer);
TupleTableSlot* CollectedRow(const TviewWriter* writer);
void InsertCurrent(TviewWriter* writer);

// Closes everything; the locks stay until the end of the transaction.
WriteCounts CloseTviewWriter(TviewWriter* writer);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_WRITE_TVIEW_WRITER_H_
