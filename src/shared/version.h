// Version numbers of releases: "0.10.0" is newer than "0.9.1".
//
// Layer:   core
// Sharing: immutable
// Errors:  cannot fail

#ifndef PG_TVIEWS_SHARED_VERSION_H_
#define PG_TVIEWS_SHARED_VERSION_H_

#include <string_view>

namespace tviews {

// Negative, zero or positive, as `left` is older than, equal to or newer than `right`. Parts are
// compared as numbers; a part that is missing, or is no number, counts as 0.
int CompareVersions(std::string_view left, std::string_view right);

}  // namespace tviews

#endif  // PG_TVIEWS_SHARED_VERSION_H_
