// What types have to offer to columns of a TVIEW: to its key, and to columns that get an index.
//
// Layer:   backend
// Sharing: reads the catalog
// Errors:  returns Status; a type that cannot be a key is an error for the user

#ifndef PG_TVIEWS_BACKEND_TVIEW_KEY_TYPE_H_
#define PG_TVIEWS_BACKEND_TVIEW_KEY_TYPE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shared/types.h"

namespace tviews::backend {

// Refuses a type without all that a primary key, and refreshes by key, need: a default btree
// operator class with its five operators and its comparison function, for all parts of the type.
absl::Status CheckKeyType(const std::string& column, TypeId type);

// The access method of an index on a column of this type that finds rows by equality and takes
// every value: "btree", "hash", or empty if none does.
absl::StatusOr<std::string> LookupIndexMethod(TypeId type, std::int32_t type_modifier);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_KEY_TYPE_H_
