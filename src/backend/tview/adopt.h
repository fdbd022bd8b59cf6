// TVIEWs that came from elsewhere: from a dump, in a copy of a database, through pg_upgrade.
//
// Layer:   backend
// Sharing: private to one process; tables
// Errors:  returns Status; what fails for one TVIEW is noted in pg_tview_dead_letter
//
// A restored TVIEW is a table with a label (tview/label.h) and no row in pg_tview_meta. In a copied
// database the row is there, with the identity (cluster and database) of another: its snapshots and
// the outbox beside it mean nothing here (ATTACKS A18, A22). Both are adopted alike, by the
// applier, without anybody asking for it: lineage is derived again from the backing view, capture
// triggers are installed, and every source counts as changed as a whole, so that the next batch
// compares the table with its query.
//
// A table is adopted when its view and its primary key are there and the TVIEWs that it reads are
// adopted. Until then it is an ordinary table, into which a restore writes. The view is looked for
// in the table's schema, which may have got another name since the label was written.

#ifndef PG_TVIEWS_BACKEND_TVIEW_ADOPT_H_
#define PG_TVIEWS_BACKEND_TVIEW_ADOPT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tviews::backend {

struct Adoption {
  int adopted = 0;
  int pending = 0;                   // not ready, locked by somebody, or failing
  std::vector<std::string> reasons;  // of each that is pending, with the table's name
};

// Adopts what is ready, each in a subtransaction, and labels TVIEWs that have no label yet.
absl::StatusOr<Adoption> AdoptTviews();

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_TVIEW_ADOPT_H_
