// Many records -> one delta per relation.
//
// Layer:   core
// Sharing: private to the applier
// Errors:  cannot fail
//
// While a TVIEW's fill is pending (its first batch), records that the fill covers must not be
// applied to it, though they are applied to the others. The coalescer therefore keeps one delta set
// for all TVIEWs without a fill and one for each TVIEW with one.

#ifndef PG_TVIEWS_WORKER_CORE_COALESCER_H_
#define PG_TVIEWS_WORKER_CORE_COALESCER_H_

#include <cstddef>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "shared/change_record.h"
#include "shared/delta.h"
#include "shared/dependency_graph.h"

namespace tviews::worker {

class Coalescer {
 public:
  // Over an equal share of `memory_limit` bytes in one of its delta sets, relations in it degrade
  // to "whole relation changed". `graph` must outlive the coalescer.
  Coalescer(const DependencyGraph& graph, std::size_t memory_limit);

  // Unites the record of transaction `xid` into the batch; move it, it can be large. A TVIEW that
  // it marks as changed as a whole is to be compared with its query: what that changes is the delta
  // for the TVIEWs that read it.
  void Fold(FullXid xid, ChangeRecord record);

  // Adds what a refreshed TVIEW's own rows changed, for the TVIEWs that read it. Not subject to
  // fills: a nested TVIEW's fill never covers what this batch writes (ATTACKS A2). `changed_at` is
  // OldestChangeFor that TVIEW.
  void FoldRefreshed(DeltaSet deltas, Timestamp changed_at);

  // The records may not be the batch's, each once: images in them are not believed.
  void DoubtImages() { common_.MarkUncounted(); }

  // Of all records, and of what was refreshed.
  const DeltaSet& common() const { return common_; }
  // The deltas that concern `tview`.
  const DeltaSet& DeltasFor(const TviewDefinition& tview) const;

  // Relations that a record, or a refreshed TVIEW, has changed so far.
  std::vector<RelationId> ChangedRelations() const;

  // True if a record asks for `tview` to be compared as a whole.
  bool IsToCompare(RelationId tview) const { return to_compare_.contains(tview); }

  std::size_t records() const { return records_; }
  // Earliest written_at of the records folded; 0 if none.
  Timestamp oldest() const { return oldest_; }
  // Earliest written_at of the records that led to a change of a source of `tview`, through other
  // TVIEWs too; 0 if none did.
  Timestamp OldestChangeFor(const TviewDefinition& tview) const;

 private:
  struct WithFill {
    const TviewDefinition* tview;
    DeltaSet deltas;  // of the TVIEW's sources only
  };
  void AddTo(WithFill& with_fill, const DeltaSet& deltas) const;
  void NoteTime(const DeltaSet& deltas, Timestamp changed_at);

  const DependencyGraph& graph_;
  std::size_t memory_limit_;  // of each delta set
  std::size_t records_ = 0;
  Timestamp oldest_ = 0;
  DeltaSet common_;
  absl::flat_hash_map<RelationId, Timestamp> changed_at_;  // earliest, of changed relations
  absl::flat_hash_set<RelationId> to_compare_;
  absl::flat_hash_map<RelationId, WithFill> with_fill_;
};

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_CORE_COALESCER_H_
