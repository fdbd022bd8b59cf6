#include "worker/feed/change_feed.h"

#include "worker/feed/feed_messages.h"
#include "worker/feed/feed_rows.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/table.h>
#include <catalog/pg_type.h>
#include <executor/tuptable.h>
#include <utils/datum.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct ChangeFeed {
  FeedSource source;
  FeedRows* rows;          // null: not wanted
  FeedMessages* messages;  // null: not wanted
  MemoryContext row_context;
};

namespace {

bool SameId(const FeedSource& source, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  if (source.id == 0) return true;
  const int i = source.id - 1;
  if (old_row->tts_isnull[i] || new_row->tts_isnull[i]) {
    return old_row->tts_isnull[i] == new_row->tts_isnull[i];
  }
  const Form_pg_attribute attribute = TupleDescAttr(old_row->tts_tupleDescriptor, i);
  return datum_image_eq(old_row->tts_values[i], new_row->tts_values[i], attribute->attbyval,
                        attribute->attlen);
}

// Then it does not name a document by itself.
bool IsPartOfKey(const KeyAttributes& key, AttributeNumber attribute) {
  if (key.count == 1) return false;
  for (int i = 0; i < key.count; ++i) {
    if (key.numbers[i] == attribute) return true;
  }
  return false;
}

void Tell(ChangeFeed* feed, FeedOperation operation, TupleTableSlot* old_row,
          TupleTableSlot* new_row) {
  const FeedChange change{.operation = operation, .old_row = old_row, .new_row = new_row};
  if (feed->rows != nullptr) AddFeedRow(feed->rows, change);
  if (feed->messages != nullptr) AddToMessages(feed->messages, change);
}

}  // namespace

ChangeFeed* OpenChangeFeed(const TviewDefinition& tview, RelationId feed_table,
                           const char* frontier) {
  if (!tview.notifies && tview.feed == FeedContent::kNothing) return nullptr;
  auto* const feed = static_cast<ChangeFeed*>(palloc0(sizeof(ChangeFeed)));
  feed->source = {.tview = &tview,
                  .key = AttributesOf(tview),
                  .frontier = frontier,
                  .feed_table = feed_table,
                  .id = 0,
                  .document = 0};
  const AttrNumber id = get_attnum(tview.relation, "id");
  if (id > 0 && !IsPartOfKey(feed->source.key, id)) feed->source.id = id;
  const AttrNumber data = get_attnum(tview.relation, "data");
  if (data > 0 && get_atttype(tview.relation, data) == JSONBOID) feed->source.document = data;
  feed->row_context =
      AllocSetContextCreate(CurrentMemoryContext, "pg_tviews feed row", ALLOCSET_DEFAULT_SIZES);
  if (tview.feed != FeedContent::kNothing) feed->rows = OpenFeedRows(feed->source);
  if (tview.notifies) feed->messages = OpenFeedMessages(feed->source);
  return feed;
}

void AddToFeed(ChangeFeed* feed, TupleTableSlot* old_row, TupleTableSlot* new_row) {
  MemoryContext const previous = MemoryContextSwitchTo(feed->row_context);
  if (old_row != nullptr) slot_getallattrs(old_row);
  if (new_row != nullptr) slot_getallattrs(new_row);
  if (old_row == nullptr) {
    Tell(feed, FeedOperation::kInsert, nullptr, new_row);
  } else if (new_row == nullptr) {
    Tell(feed, FeedOperation::kDelete, old_row, nullptr);
  } else if (SameId(feed->source, old_row, new_row)) {
    Tell(feed, FeedOperation::kUpdate, old_row, new_row);
  } else {
    Tell(feed, FeedOperation::kDelete, old_row, nullptr);
    Tell(feed, FeedOperation::kInsert, nullptr, new_row);
  }
  MemoryContextSwitchTo(previous);
  MemoryContextReset(feed->row_context);
}

void CloseChangeFeed(ChangeFeed* feed) {
  if (feed == nullptr) return;
  if (feed->rows != nullptr) CloseFeedRows(feed->rows);
  if (feed->messages != nullptr) CloseFeedMessages(feed->messages);
  MemoryContextDelete(feed->row_context);
  pfree(feed);
}

}  // namespace tviews::worker
