// Which functions of users a query calls, and by what: calls, operators, casts, aggregates,
// domains.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_CALLS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_CALLS_H_

#include "backend/lineage/expand.h"

struct FuncExpr;

namespace tviews::backend::lineage {

// Adds it to expansion->functions.
void NoteFunction(Oid32 function, Expansion* expansion);

// What `node` itself calls, without what is below it, is added to expansion->called.
void NoteCalls(Node* node, RoleId caller, Expansion* expansion);

// The same for what sorts and groups the rows of one level.
void NoteSortOperators(const Query* query, RoleId caller, Expansion* expansion);

// A call of a function of a user with the defaults of the parameters that it leaves out.
void AddDefaults(FuncExpr* call);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_FUNCTION_CALLS_H_
