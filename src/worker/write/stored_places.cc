#include "worker/write/stored_places.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/tableam.h>
#include <common/hashfn.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <utils/datum.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

struct Place {
  std::uint32_t hash;
  std::uint32_t block;
  std::uint16_t offset;  // 0: no place
};

constexpr std::uint32_t kFirstBuckets = 1024;

}  // namespace

struct StoredPlaces {
  TupleDesc descriptor;
  PlacedKey key;
  Place* buckets;
  std::uint32_t mask;  // of a hash: the number of buckets, a power of two, less one
  std::uint32_t used;
};

namespace {

std::uint32_t Hash(const StoredPlaces* places, const Datum* key) {
  std::uint32_t hash = 0;
  for (int i = 0; i < places->key.columns; ++i) {
    const Form_pg_attribute attribute =
        TupleDescAttr(places->descriptor, places->key.numbers[i] - 1);
    hash = hash_combine(hash, datum_image_hash(key[i], attribute->attbyval, attribute->attlen));
  }
  return hash;
}

Place* MakeBuckets(const StoredPlaces* places, std::uint32_t count) {
  return static_cast<Place*>(
      MemoryContextAllocExtended(GetMemoryChunkContext(const_cast<StoredPlaces*>(places)),
                                 sizeof(Place) * Size{count}, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
}

void Put(StoredPlaces* places, const Place& place) {
  std::uint32_t bucket = place.hash & places->mask;
  while (places->buckets[bucket].offset != 0) bucket = (bucket + 1) & places->mask;
  places->buckets[bucket] = place;
}

// False if that would take more memory than there may be.
bool Grow(StoredPlaces* places) {
  const std::uint32_t count = places->mask + 1;
  const Size wanted = sizeof(Place) * Size{count} * 2;
  if (wanted > Size{1024} * static_cast<Size>(maintenance_work_mem) || count >= 1U << 30)
    return false;
  Place* const old = places->buckets;
  places->buckets = MakeBuckets(places, 2 * count);
  places->mask = 2 * count - 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (old[i].offset != 0) Put(places, old[i]);
  }
  pfree(old);
  return true;
}

// Adds the row in the slot; false if it has no room. Its key is not null: it is the primary key.
bool Add(StoredPlaces* places, TupleTableSlot* row) {
  if (places->used >= (places->mask + 1) / 4 * 3 && !Grow(places)) return false;
  Datum key[INDEX_MAX_KEYS];
  bool is_null = false;
  for (int i = 0; i < places->key.columns; ++i) {
    key[i] = slot_getattr(row, places->key.numbers[i], &is_null);
  }
  Put(places, {.hash = Hash(places, key),
               .block = ItemPointerGetBlockNumber(&row->tts_tid),
               .offset = ItemPointerGetOffsetNumber(&row->tts_tid)});
  ++places->used;
  return true;
}

}  // namespace

StoredPlaces* ReadStoredPlaces(RelationData* tview, const PlacedKey& key, SnapshotData* snapshot,
                               TupleTableSlot* row) {
  auto* places = static_cast<StoredPlaces*>(palloc0(sizeof(StoredPlaces)));
  places->descriptor = RelationGetDescr(tview);
  places->key = key;
  places->buckets = MakeBuckets(places, kFirstBuckets);
  places->mask = kFirstBuckets - 1;
  MemoryContext const row_context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_tviews places", ALLOCSET_SMALL_SIZES);
  TableScanDesc const scan = table_beginscan(tview, snapshot, 0, nullptr);
  bool has_room = true;
  while (has_room && table_scan_getnextslot(scan, ForwardScanDirection, row)) {
    CHECK_FOR_INTERRUPTS();
    MemoryContext const previous = MemoryContextSwitchTo(row_context);
    has_room = Add(places, row);
    MemoryContextSwitchTo(previous);
    MemoryContextReset(row_context);
  }
  ExecClearTuple(row);
  table_endscan(scan);
  MemoryContextDelete(row_context);
  if (has_room) return places;
  FreeStoredPlaces(places);
  return nullptr;
}

PlaceSearch BeginSearch(const StoredPlaces* places, const std::uintptr_t* key) {
  const std::uint32_t hash = Hash(places, key);
  return {.hash = hash, .bucket = hash & places->mask};
}

bool NextPlace(const StoredPlaces* places, PlaceSearch* search, RowPointer* place) {
  while (true) {
    const Place& found = places->buckets[search->bucket];
    if (found.offset == 0) return false;
    search->bucket = (search->bucket + 1) & places->mask;
    if (found.hash != search->hash) continue;
    *place = {.block = found.block, .offset = found.offset};
    return true;
  }
}

void FreeStoredPlaces(StoredPlaces* places) {
  pfree(places->buckets);
  pfree(places);
}

}  // namespace tviews::worker
