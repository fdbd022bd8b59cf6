// Where the rows of a TVIEW are stored, by key: for a comparison of all of them.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  every function may raise: call them inside pg::Call only
//
// A query over everything often returns its rows in another order than that of their keys (a rank
// by points). A descent of the index for each of them costs more than reading the table once and
// keeping each row's place under the hash of its key: 12 bytes in a table that is at most three
// quarters full, within maintenance_work_mem.
//
// (1) Only for keys whose equality is that of their images, which the caller makes sure of.
// (2) A place that is found is a candidate: the caller compares the key of the row there.

#ifndef PG_TVIEWS_WORKER_WRITE_STORED_PLACES_H_
#define PG_TVIEWS_WORKER_WRITE_STORED_PLACES_H_

#include <cstdint>

#include "shared/types.h"

struct RelationData;
struct SnapshotData;
struct TupleTableSlot;

namespace tviews::worker {

struct StoredPlaces;

// The columns of a key and how each is passed, in any order that stays the same.
struct PlacedKey {
  int columns;
  const AttributeNumber* numbers;
};

// Reads every row of `tview` that the snapshot sees, by way of `row`, a slot of the table; null if
// they do not fit into maintenance_work_mem.
StoredPlaces* ReadStoredPlaces(RelationData* tview, const PlacedKey& key, SnapshotData* snapshot,
                               TupleTableSlot* row);

// One look-up: the next place whose key has the hash of that of the datums `key`.
struct PlaceSearch {
  std::uint32_t hash;
  std::uint32_t bucket;
};
PlaceSearch BeginSearch(const StoredPlaces* places, const std::uintptr_t* key);
bool NextPlace(const StoredPlaces* places, PlaceSearch* search, RowPointer* place);

void FreeStoredPlaces(StoredPlaces* places);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_WRITE_STORED_PLACES_H_
