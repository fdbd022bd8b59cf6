// What refresh and lookups find rows by.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_PROBES_H_
#define PG_TVIEWS_BACKEND_LINEAGE_PROBES_H_

#include "backend/lineage/exits.h"
#include "backend/lineage/index_match.h"
#include "backend/lineage/route.h"

namespace tviews::backend::lineage {

// The conditions along the route, in both directions: refresh follows it from the key back.
void CollectProbes(const Route& route, PlainArray<Probe>* probes);

// How rows are found by the key, where the level can be left by it.
void CollectKeyProbes(const Scope* scope, const ExitRequest& key, PlainArray<Probe>* probes);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_PROBES_H_
