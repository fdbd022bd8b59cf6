// Whether equal values of a type are the same bytes.
//
// Layer:   pg
// Sharing: immutable
// Errors:  raises ereport

#ifndef PG_TVIEWS_SHARED_PG_SERVER_IMAGE_EQUALITY_H_
#define PG_TVIEWS_SHARED_PG_SERVER_IMAGE_EQUALITY_H_

#include "shared/types.h"

namespace tviews::pg {

// True if the default btree class of `type` says so under `collation`. Of the functions that can
// say it only the server's are asked: others would run here with somebody's rights. bpchar never
// is: values that differ in trailing blanks are equal, whatever its class says, in which minor
// releases of the server differ. char(n) is, for those who know the length.
bool IsImageEqual(TypeId type, Oid32 collation);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_SERVER_IMAGE_EQUALITY_H_
