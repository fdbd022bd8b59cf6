#include "shared/pg/boundary/transaction_scope.h"

#include <exception>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/memory.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <miscadmin.h>
#include <storage/ipc.h>
#include <utils/memutils.h>
#include <utils/resowner.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// What the library throws is a failure of the body like any other, which the rollback undoes.
absl::Status Run(absl::FunctionRef<absl::Status()> body) {
  try {
    const MemoryContextData* const memory = CurrentMemoryContext;
    absl::Status status = body();
    CheckContextIs(memory);
    return status;
  } catch (const std::exception& e) {
    return MakeError(absl::StatusCode::kResourceExhausted,
                     {.message = e.what(), .sqlstate = "53200"});
  }
}

}  // namespace

absl::Status RunTransaction(absl::FunctionRef<absl::Status()> body) {
  MemoryContext const memory = CurrentMemoryContext;
  absl::Status status = Call([] {
    SetCurrentStatementStartTimestamp();  // otherwise now() is when the worker began
    StartTransactionCommand();
  });
  if (status.ok()) status = Run(body);
  if (status.ok()) {
    status = Call([] { CommitTransactionCommand(); });
  }
  if (!status.ok()) {
    // An abort that fails leaves no way on; the worker ends by FATAL.
    absl::Status aborted = Call([] { AbortCurrentTransaction(); });
    if (!aborted.ok()) proc_exit(1);
  }
  MemoryContextSwitchTo(memory);
  return status;
}

absl::Status RunSubtransaction(absl::FunctionRef<absl::Status()> body) {
  MemoryContext const memory = CurrentMemoryContext;
  ResourceOwner const owner = CurrentResourceOwner;
  TVIEWS_RETURN_IF_ERROR(Call([] { BeginInternalSubTransaction(nullptr); }));
  MemoryContextSwitchTo(memory);
  absl::Status status = Run(body);
  if (status.ok()) {
    status = Call([] { ReleaseCurrentSubTransaction(); });
  }
  if (!status.ok()) {
    TVIEWS_RETURN_IF_ERROR(Call([] { RollbackAndReleaseCurrentSubTransaction(); }));
  }
  MemoryContextSwitchTo(memory);
  CurrentResourceOwner = owner;
  return status;
}

}  // namespace tviews::pg
