#include "backend/reading/reader_wait.h"

#include <algorithm>

#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/shmem/stats.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xact.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <utils/backend_status.h>
#include <utils/memutils.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

struct {
  Timestamp statement;  // when it began
  std::uint64_t us;
} of_statement;

void CountInStatement(Timestamp began_at) {
  of_statement.us =
      WaitedInStatement() + static_cast<std::uint64_t>(GetCurrentTimestamp() - began_at);
  of_statement.statement = GetCurrentStatementStartTimestamp();
}

// True if the batch is at `tview` for the sake of one that is read.
bool IsNeeded(const pg::ApplierActivity& activity, const pg::WaitNote& note, RelationId tview) {
  if (pg::session_notes::Names(note, tview)) return true;
  const int count = activity.needed_by_count.Load();
  if (count < 0) return true;
  return std::any_of(activity.needed_by, activity.needed_by + count,
                     [&note](const Shared<RelationId>& reader) {
                       return pg::session_notes::Names(note, reader.Load());
                     });
}

// What the batch is still at, where the wait ends before it does.
std::uint64_t CountUnended(const pg::ApplierActivity& activity, const pg::WaitNote& note,
                           Timestamp now) {
  const RelationId tview = activity.tview.Load();
  const Timestamp begin = activity.tview_started.Load();
  if (tview == 0 || IsNeeded(activity, note, tview) || activity.tview.Load() != tview) return 0;
  const Timestamp waited = now - std::max(begin, note.since.Load());
  if (waited < static_cast<Timestamp>(pg::kLeastHeldUpUs)) return 0;
  const auto microseconds = static_cast<std::uint64_t>(waited);
  pg::stats::CountHeldUp(MyDatabaseId, tview, 1, microseconds, now);
  return microseconds;
}

}  // namespace

void ReaderWait::Begin(const Concerned& concerned) {
  if (has_begun_) return;
  has_begun_ = true;
  began_at_ = GetCurrentTimestamp();
  pg::session_notes::BeginWait(concerned.tviews.data(),
                               concerned.all ? 0 : static_cast<int>(concerned.tviews.size()));
}

void ReaderWait::Show() {
#if PG_VERSION_NUM < 170000
  if (statement_ != nullptr || MyBEEntry == nullptr || !pgstat_track_activities) return;
  statement_ = MemoryContextStrdup(TopTransactionContext, MyBEEntry->st_activity_raw);
  query_id_ = pgstat_get_my_query_id();
  char* const text = psprintf("[waits for TVIEWs] %s", statement_);
  pgstat_report_activity(MyBEEntry->st_state, text);
  pgstat_report_query_id(query_id_, true);
  pfree(text);
#endif
}

std::uint64_t WaitedInStatement() {
  return of_statement.statement == GetCurrentStatementStartTimestamp() ? of_statement.us : 0;
}

ReaderWait::~ReaderWait() {
  if (has_begun_) CountInStatement(began_at_);
  if (statement_ != nullptr) {
    pgstat_report_activity(MyBEEntry->st_state, statement_);
    pgstat_report_query_id(query_id_, true);
  }
  pg::WaitNote note;
  if (!pg::session_notes::EndWait(&note)) return;
  const int count = note.tview_count.Load();
  if (count == 0) return;
  const Timestamp now = GetCurrentTimestamp();
  const pg::WaitSample sample = {
      .duration_us = static_cast<std::uint64_t>(std::max<Timestamp>(now - note.since.Load(), 0)),
      .others_us = note.others_us.Load() + CountUnended(slot_->activity, note, now)};
  for (int i = 0; i < count; ++i) {
    pg::stats::CountWait(MyDatabaseId, note.tviews[i].Load(), sample, now);
  }
}

}  // namespace tviews::backend
