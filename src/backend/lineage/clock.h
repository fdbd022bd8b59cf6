// Where a query shows the time.
//
// Layer:   backend
// Sharing: private to one process
// Errors:  raises; only for use inside pg::Call

#ifndef PG_TVIEWS_BACKEND_LINEAGE_CLOCK_H_
#define PG_TVIEWS_BACKEND_LINEAGE_CLOCK_H_

struct Node;
struct Query;

namespace tviews::backend::lineage {

enum class ClockRule {
  kAllowed,   // the definition says how often it moves on
  kOfBefore,  // the TVIEW was created before that was asked for
  kRefused,
};

// True if `node` itself is the time: CURRENT_DATE and its like, or a call of now() and its like.
bool IsClock(Node* node);

// True if the query uses the clock anywhere; raises if that is refused. `query` has been expanded.
bool UsesClock(const Query* query, ClockRule rule);

}  // namespace tviews::backend::lineage

#endif  // PG_TVIEWS_BACKEND_LINEAGE_CLOCK_H_
