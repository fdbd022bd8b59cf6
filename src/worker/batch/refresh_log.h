// What a batch did to each TVIEW: for the statistics in shared memory, and for
// pg_tview_performance_log.
//
// Layer:   worker
// Sharing: private to the applier; counts in shared memory
// Errors:  returns Status
//
// Rows of the table are written in the batch's own transaction: every refresh that took
// pg_tviews.performance_log_min_duration, and a sample of the others. About once a minute, rows
// older than pg_tviews.performance_log_retention are deleted, and those of pg_tview_audit_log that
// are older than pg_tviews.audit_log_retention. The statistics are counted after the commit, when
// what was done can be seen.

#ifndef PG_TVIEWS_WORKER_BATCH_REFRESH_LOG_H_
#define PG_TVIEWS_WORKER_BATCH_REFRESH_LOG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "shared/dependency_graph.h"
#include "shared/pg/shmem/stats.h"
#include "shared/types.h"

namespace tviews::worker {

class RefreshLog {
 public:
  // A batch begins.
  void Begin();
  // A TVIEW is refreshed.
  void Add(const std::string& entity, const pg::RefreshSample& sample);
  // Before the commit: the rows of the table. One lane of several deletes old ones.
  absl::Status Write(bool deletes_old);
  // After the commit: the statistics.
  void Publish() const;

  // Forgets the statistics of TVIEWs that no longer exist.
  static void Keep(const DependencyGraph& graph);

 private:
  absl::Status InsertRows();
  absl::Status DeleteOld();

  std::vector<pg::RefreshSample> samples_;
  std::vector<std::size_t> logged_;    // positions in samples_
  std::vector<std::string> entities_;  // of logged_
  Timestamp deleted_at_ = 0;
  std::pair<int, int> deleted_for_ = {0, 0};  // the retentions that were in force then
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_BATCH_REFRESH_LOG_H_
