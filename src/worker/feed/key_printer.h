// Keys as text: of one column, what its type's output function writes; of several, a JSON object.
//
// Layer:   worker
// Sharing: private to one process
// Errors:  every function may raise: call them inside pg::Call only

#ifndef PG_TVIEWS_WORKER_FEED_KEY_PRINTER_H_
#define PG_TVIEWS_WORKER_FEED_KEY_PRINTER_H_

#include <cstdint>

#include "shared/types.h"
#include "worker/write/stored_rows.h"

struct TupleTableSlot;

namespace tviews::worker {

struct KeyPrinter;

// In the current memory context.
KeyPrinter* PrepareKeyPrinter(RelationId tview, const KeyAttributes& key);

// Of a datum for each column: 3, or {"tenant_id": 3, "code": "a"}.
const char* TextOfKey(KeyPrinter* printer, const std::uintptr_t* values);

// The same of a deformed row, as a JSON value: 3, "a", or an object; null if a column of the key
// is.
const char* JsonOfKey(KeyPrinter* printer, const TupleTableSlot* row);
// As text; null if a column of the key is.
const char* TextOfKeyIn(KeyPrinter* printer, const TupleTableSlot* row);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_FEED_KEY_PRINTER_H_
