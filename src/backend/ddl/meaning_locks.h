// Locks between the creation of a TVIEW and DDL on the functions and types that its query uses.
//
// Layer:   backend
// Sharing: private to one process; locks of the transaction
// Errors:  returns Status
//
// The server takes none: a function that is replaced while a TVIEW over it is being created would
// fill some of its rows, and the replacing session would not see the TVIEW that has to follow.
// A creation therefore locks what its view uses before it fills the table, and commands that change
// what a function, a type or another such object means lock it before they run. Whoever comes
// second sees what the first has done.

#ifndef PG_TVIEWS_BACKEND_DDL_MEANING_LOCKS_H_
#define PG_TVIEWS_BACKEND_DDL_MEANING_LOCKS_H_

#include "absl/status/status.h"
#include "shared/types.h"

namespace tviews::backend {

// Locks what `view`, and the views that it reads, use: functions, types, text search objects and
// collations of users, also by way of operators, casts and functions whose bodies the server has
// parsed.
absl::Status LockMeaningOf(RelationId view);

// For a command that changes what an object means; not for one of somebody else, which is going to
// be refused.
absl::Status LockToChangeMeaning(Oid32 object_class, Oid32 object);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_MEANING_LOCKS_H_
