// What names a row of the outbox, and what a snapshot knows of the transaction that wrote it.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_OUTBOX_ROW_H_
#define PG_TVIEWS_SHARED_OUTBOX_ROW_H_

#include "shared/types.h"

namespace tviews {

// A place is used again once its row has gone: the transaction tells whose row is meant (ATTACKS
// A15).
struct OutboxRow {
  RowPointer place;
  FullXid xid = 0;
};

enum class Outcome { kInProgress, kCommitted, kAborted };

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_OUTBOX_ROW_H_
