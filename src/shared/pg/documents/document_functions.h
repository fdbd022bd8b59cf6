// Lets a query build its documents with the extension's functions instead of the server's.
//
// Layer:   pg
// Sharing: private to one process
// Errors:  may raise: called by the server
//
// jsonb_build_object becomes pg_tviews_build_object, jsonb_agg of jsonb values
// pg_tviews_build_array. Both give the same bytes for less time; building documents is what most
// of a refresh's time goes into. The defining query itself is never changed.

#ifndef PG_TVIEWS_SHARED_PG_DOCUMENTS_DOCUMENT_FUNCTIONS_H_
#define PG_TVIEWS_SHARED_PG_DOCUMENTS_DOCUMENT_FUNCTIONS_H_

struct Query;

namespace tviews::pg {

// In place, before planning. Where the extension has no such functions, nothing changes.
void UseDocumentFunctions(Query* query);

}  // namespace tviews::pg

#endif  // PG_TVIEWS_SHARED_PG_DOCUMENTS_DOCUMENT_FUNCTIONS_H_
