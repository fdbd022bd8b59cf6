// The change feed of one refresh: tells consumers which documents it wrote.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  every function may raise: call them inside pg::Call only
//
// The tview writer reports each written row; the feed passes it on to the durable rows
// (feed_rows.h) and the notifications (feed_messages.h) that the TVIEW's options ask for. Both
// belong to the (sub)transaction that writes the documents, so what is rolled back is never told.

#ifndef PG_TVIEWS_WORKER_FEED_CHANGE_FEED_H_
#define PG_TVIEWS_WORKER_FEED_CHANGE_FEED_H_

#include "shared/tview_definition.h"
#include "shared/types.h"
#include "worker/write/stored_rows.h"

struct TupleTableSlot;

namespace tviews::worker {

enum class FeedOperation { kInsert, kUpdate, kDelete };
inline constexpr int kFeedOperations = 3;

// What is the same for all documents of a refresh. The texts outlive the feed.
struct FeedSource {
  const TviewDefinition* tview;
  KeyAttributes key;
  const char* frontier;      // of the batch, as pg_snapshot prints it
  RelationId feed_table;     // pg_tview_feed
  AttributeNumber id;        // the column "id"; 0: none, or one of several columns of the key
  AttributeNumber document;  // the jsonb column "data"; 0: the whole row is the document
};

// One changed document. An update that changes the id is told as a delete and an insert.
struct FeedChange {
  FeedOperation operation;
  TupleTableSlot* old_row;  // all columns deformed; null for an insert
  TupleTableSlot* new_row;  // null for a delete

  TupleTableSlot* current() const { return new_row != nullptr ? new_row : old_row; }
};

struct ChangeFeed;

// Null if the TVIEW has no feed.
ChangeFeed* OpenChangeFeed(const TviewDefinition& tview, RelationId feed_table,
                           const char* frontier);

// As the tview writer reports it: `old_row` is null for an insert, `new_row` for a delete.
void AddToFeed(ChangeFeed* feed, TupleTableSlot* old_row, TupleTableSlot* new_row);

void CloseChangeFeed(ChangeFeed* feed);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_CHANGE_FEED_H_
