// Receivers of a query's rows.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  what `receive` and `start` raise
//
// The server calls a receiver for each row; ours are structs of which the first member is a
// DestReceiver, and live in the memory of who runs the query.

#ifndef PG_TVIEWS_SHARED_PG_BOUNDARY_RECEIVER_H_
#define PG_TVIEWS_SHARED_PG_BOUNDARY_RECEIVER_H_

struct _DestReceiver;
struct TupleDescData;
struct TupleTableSlot;

namespace tviews::pg {

// Gets a row; false ends the query.
using ReceiveRow = bool (*)(TupleTableSlot* row, _DestReceiver* self);
// Gets the columns, before the first row.
using StartRows = void (*)(_DestReceiver* self, int operation, TupleDescData* columns);

// Is told that the last row has come.
using EndRows = void (*)(_DestReceiver* self);

// Fills in the callbacks; those that are null do nothing.
void InitializeReceiver(_DestReceiver* receiver, ReceiveRow receive, StartRows start = nullptr,
                        EndRows end = nullptr);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_BOUNDARY_RECEIVER_H_
