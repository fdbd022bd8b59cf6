// Going through the keys of a TVIEW in their order, some at a time.
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_KEY_SLICES_H_
#define PG_TVIEWS_SHARED_KEY_SLICES_H_

#include <cstddef>
#include <string>

#include "shared/tview_definition.h"

namespace tviews {

// The query that returns the first `limit` keys after $1 (and $2, ...: a value for each column of
// the key), or, if `is_first`, the very first, of the TVIEW and of its query together.
std::string NextKeysStatement(const TviewDefinition& tview, bool is_first, std::size_t limit);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_KEY_SLICES_H_
