#include "worker/batch/tview_work.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "shared/pg/shmem/session_notes.h"
#include "shared/pg/shmem/stats.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <utils/timestamp.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
TviewWork::TviewWork(pg::DatabaseSlot* slot, const DependencyGraph& graph, RelationId tview,
                     Timestamp begin) noexcept
    : slot_(slot), graph_(graph), tview_(tview), begin_(begin) {
  pg::ApplierActivity& activity = slot_->activity;
  activity.is_searching.Store(1);
  activity.is_full.Store(0);
  activity.keys_total.Store(0);
  activity.keys_done.Store(0);
  ShowReaders();
  activity.tview_started.Store(begin_);
  activity.tview.Store(tview_);
}

void TviewWork::ShowReaders() const {
  pg::ApplierActivity& activity = slot_->activity;
  const std::vector<std::size_t> readers = graph_.Reachable(tview_);
  if (readers.size() > pg::kNeededBy) {
    activity.needed_by_count.Store(-1);
    return;
  }
  int count = 0;
  for (const std::size_t reader : readers) {
    activity.needed_by[count++].Store(graph_.order()[reader].relation);
  }
  activity.needed_by_count.Store(count);
}

TviewWork::~TviewWork() {
  slot_->activity.tview.Store(0);
  const Timestamp end = GetCurrentTimestamp();
  const auto duration = static_cast<std::uint64_t>(std::max<Timestamp>(end - begin_, 0));
  pg::stats::CountWork(MyDatabaseId, tview_, duration, end);
  if (duration >= pg::kLeastHeldUpUs) CountHeldUp(end);
}

void TviewWork::CountHeldUp(Timestamp end) const {
  const std::vector<std::size_t> readers = graph_.Reachable(tview_);
  const auto waits_for_lane = [this](const pg::WaitNote& note) {
    return std::any_of(graph_.order().begin(), graph_.order().end(), [&](const auto& tview) {
      return pg::session_notes::Names(note, tview.relation);
    });
  };
  std::uint64_t count = 0;
  std::uint64_t total = 0;
  pg::WaitNote note;
  for (int i = 0; i < pg::session_notes::size(); ++i) {
    if (!pg::session_notes::Copy(i, &note)) continue;
    if (note.database.Load() != MyDatabaseId || note.tview_count.Load() == 0) continue;
    const Timestamp waited = end - std::max(begin_, note.since.Load());
    if (waited < static_cast<Timestamp>(pg::kLeastHeldUpUs) ||
        pg::session_notes::Names(note, tview_) || !waits_for_lane(note))
      continue;
    if (std::any_of(readers.begin(), readers.end(), [&](std::size_t reader) {
          return pg::session_notes::Names(note, graph_.order()[reader].relation);
        })) {
      continue;
    }
    pg::session_notes::ChargeWait(i, static_cast<std::uint64_t>(waited));
    ++count;
    total += static_cast<std::uint64_t>(waited);
  }
  if (count > 0) pg::stats::CountHeldUp(MyDatabaseId, tview_, count, total, end);
}

}  // namespace tviews::worker
