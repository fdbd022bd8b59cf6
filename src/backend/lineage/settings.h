// Which settings of the server a query's result depends on, as far as the query tells.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_SETTINGS_H_
#define PG_TVIEWS_BACKEND_LINEAGE_SETTINGS_H_

#include "backend/lineage/plain.h"

struct Query;

namespace tviews::backend::lineage {

// Adds the names to `settings`, as the server spells them, each once: conversions of values to
// text, XML and JSON and back, functions of the server that look at the time zone or a locale, and
// text search without a configuration. What functions of users look at is not seen. Adds to
// `undetermined` why the conversions make the result depend on the catalogs, if they do.
void FindSettings(const Query* query, PlainArray<const char*>* settings,
                  PlainArray<const char*>* undetermined);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_SETTINGS_H_
