// The audit log: DDL and operators' actions that concern TVIEWs.
//
// Layer:   backend
// Sharing: pg_tview_audit_log; written in the session's transaction
// Errors:  returns Status
//
// A row is written as the extension's owner, in the transaction that acts: an action that is rolled
// back leaves none. Actions that take effect at once (PAUSE, RESUME, REFRESH, RETRY) are written
// down before they begin, so that a transaction that cannot write cannot act unseen.

#ifndef PG_TVIEWS_BACKEND_DDL_AUDIT_LOG_H_
#define PG_TVIEWS_BACKEND_DDL_AUDIT_LOG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "backend/ddl/aftermath.h"
#include "shared/types.h"

struct Node;

namespace tviews::backend {

struct AuditDetail {
  std::string name;
  std::string value;  // left out if it is empty
  enum Kind { kText, kJson } kind = kText;
};
using AuditDetails = std::vector<AuditDetail>;

// An empty `entity` means all TVIEWs. The version of the library and, where it is not the session's
// user, the role are added to the details.
absl::Status RecordAction(const char* operation, const std::string& entity,
                          const AuditDetails& details);

// The same for a TVIEW that exists, with its table's name.
absl::Status RecordActionOn(const char* operation, RelationId tview, AuditDetails details);

// ALTER of the TVIEWs, ALTER SOURCE of those that read the relations, which `statement` concerned.
absl::Status RecordDdl(const Node* statement, const Aftermath& aftermath);

}  // namespace tviews::backend

#endif  // PG_TVIEWS_BACKEND_DDL_AUDIT_LOG_H_
