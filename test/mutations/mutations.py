"""Faults that are planted one by one, and the test that must notice each.

A mutation replaces one text of one file, which must be there exactly once: `scripts/check_mutations` fails where the code has
changed and the mutation does not apply any more. The catchers are kinds of tests as scripts/check.sh knows them, with what
to run of that kind: `unit:QueueReader*`, `simulation`, `regress:capture_dml`, `isolation:late_commit_vs_batch`.
"""
from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    what: str  # goes wrong
    file: str
    old: str
    new: str
    catcher: str


ALL = [
    # --- Which records belong to a batch
    Mutation("clean_too_early", "a scan counts as complete although an overflow has not ended",
             "src/worker/core/queue_reader.cc",
             "if (scanned_ && overflow_finished_ == overflow_started_) counters.clean", "if (scanned_) counters.clean",
             "simulation"),
    Mutation("unslotted_too_early", "the same for transactions without a slot", "src/worker/core/queue_reader.cc",
             "if (scanned_ && unslotted_finished_ == unslotted_started_) {", "if (scanned_) {", "simulation"),
    Mutation("kept_off_by_one", "a scan does not keep the newest prepared transaction", "src/worker/core/queue_reader.cc",
             "if (row.xid < begun_before_ && ", "if (row.xid + 1 < begun_before_ && ", "simulation"),
    Mutation("kept_dropped", "what a scan has kept is forgotten", "src/worker/core/queue_reader.cc",
             "kept_ = std::move(next_kept_);", "next_kept_.clear();", "simulation"),
    Mutation("unended_finished", "entries of transactions in progress are dropped", "src/worker/core/queue_reader.cc",
             "unended_.insert(frame.content.xid);", "finished_.push_back(frame.position);", "simulation"),
    Mutation("aborted_applied", "records of aborted transactions are applied", "src/worker/core/queue_reader.cc",
             "if (*outcome == Outcome::kAborted) return true;", "", "simulation"),
    Mutation("payload_dropped", "an entry without its payload is not looked up in the outbox", "src/worker/core/queue_reader.cc",
             "status = outbox->Fetch(row, visit);", "status = absl::OkStatus();", "simulation"),
    Mutation("served_too_much", "tickets are served that were taken after the snapshot", "src/worker/core/queue_reader.cc",
             "counters.served.Store(ticket_);", "counters.served.Store(counters.requested.Load());", "simulation"),
    Mutation("frontier_hidden", "sessions do not see how far batches are", "src/worker/core/queue_reader.cc",
             "  store_frontier();\n", "", "simulation"),
    Mutation("deleted_by_list", "after a scan only what the ring has named is deleted", "src/worker/core/queue_reader.cc",
             "return scanned_ ? outbox->DeleteSeen() : outbox->Delete(&consumed_);", "return outbox->Delete(&consumed_);",
             "simulation"),
    # --- The queue
    Mutation("no_scan_without_slot", "records of transactions without a slot are not looked for", "src/shared/queue_state.cc",
             "return counters_->overflow.started.Load() != counters_->clean.Load() ||\n"
             "         unslotted_->started.Load() != counters_->clean_unslotted.Load();",
             "return counters_->overflow.started.Load() != counters_->clean.Load();", "simulation"),
    Mutation("overflow_uncounted", "who finds no room does not say so", "src/shared/queue_state.cc",
             "if (!position.has_value()) counters_->overflow.started.Add(1);", "", "simulation"),
    Mutation("applier_begins_clean", "a new applier trusts what the last one has left", "src/shared/queue_state.cc",
             "counters_->clean.Store(counters_->overflow.started.Load() - 1);",
             "counters_->clean.Store(counters_->overflow.started.Load());", "simulation"),
    Mutation("idle_with_kept", "a strict reader does not wait for what a scan has kept", "src/shared/queue_state.cc",
             "return ring().empty() && counters_->kept.Load() == 0 && !NeedsScan();", "return ring().empty() && !NeedsScan();",
             "simulation"),
    Mutation("released_in_flight", "a slot is freed although a record has just come", "src/shared/queue_state.cc",
             "return !IsIdle() || ", "return ", "simulation"),
    Mutation("void_of_another", "an abort voids another transaction's entry", "src/shared/record_ring.cc",
             "  if (frame->xid != xid) return false;\n", "", "unit:RecordRing*"),
    Mutation("ring_overrun", "a frame is written over others", "src/shared/record_ring.cc",
             "if (needed > capacity - (tail() - head())) return std::nullopt;", "if (needed > capacity) return std::nullopt;",
             "unit:RecordRing*"),
    Mutation("reclaim_pending", "entries that nobody has looked at are freed", "src/shared/record_ring.cc",
             "if (Atomic(frame->state).load() == static_cast<std::uint32_t>(FrameState::kPending)) break;", "",
             "simulation"),
    Mutation("rotate_stops_early", "what stands at the head keeps its payload", "src/shared/record_ring.cc",
             "while (head() <= *gain) RotateOne();", "while (head() < *gain) RotateOne();", "unit:RecordRing*"),
    Mutation("snapshot_end", "a snapshot includes the first transaction after it", "src/shared/types.cc",
             "if (xid >= xmax) return false;", "if (xid > xmax) return false;", "simulation"),
    # --- Deltas
    Mutation("release_drops", "a released savepoint's changes are lost", "src/shared/savepoint_deltas.cc",
             "  kept.Merge(std::move(released));\n", "", "simulation"),
    Mutation("rollback_too_deep", "a rollback to a savepoint takes the level below along", "src/shared/savepoint_deltas.cc",
             "while (!levels_.empty() && levels_.back().nest_level >= nest_level) {",
             "while (!levels_.empty() && levels_.back().nest_level >= nest_level - 1) {", "simulation"),
    Mutation("whole_forgotten", "what has changed as a whole does not count when deltas are united", "src/shared/delta.cc",
             "  if (other.whole_) {\n    MarkWhole();\n    return;\n  }\n", "", "simulation"),
    Mutation("degraded_forgotten", "a relation without room for its keys counts as unchanged", "src/shared/delta.cc",
             "  whole_ = true;\n  bytes_ = 0;\n  keys_.clear();", "  bytes_ = 0;\n  keys_.clear();", "simulation"),
    Mutation("field_off_by_one", "a source key's next field is read", "src/shared/source_key.cc",
             "    if (i == position) return reader.image();", "    if (i == position + 1) return reader.image();", "simulation"),
    # --- From deltas to keys
    Mutation("fill_turned_round", "a new TVIEW gets the records that its fill has seen, and no others",
             "src/worker/core/coalescer.cc", "if (!with_fill.tview->fill->Covers(xid)) AddTo",
             "if (with_fill.tview->fill->Covers(xid)) AddTo", "simulation"),
    Mutation("refreshed_dropped", "TVIEWs over a TVIEW do not hear of its changes", "src/worker/core/coalescer.cc",
             "  for (auto& [relation, with_fill] : with_fill_) AddTo(with_fill, deltas);\n  common_.Merge(std::move(deltas));",
             "  for (auto& [relation, with_fill] : with_fill_) AddTo(with_fill, deltas);", "simulation"),
    Mutation("first_source_only", "a source without changes ends the search", "src/worker/core/cascade.cc",
             "    if (delta == nullptr) continue;\n    TVIEWS_ASSIGN_OR_RETURN", "    if (delta == nullptr) break;\n    TVIEWS_ASSIGN_OR_RETURN",
             "simulation"),
    Mutation("owed_forgotten", "a TVIEW that is left aside does not owe what is new", "src/worker/core/cascade.cc",
             "    if (is_relevant) own.Merge(source.source, *delta);", "", "simulation"),
    Mutation("readers_not_left", "who reads a TVIEW that is left aside goes on", "src/worker/core/standings.cc",
             "    if (!Of(source.source).is_left_aside) continue;", "    continue;", "simulation"),
    Mutation("missing_column_ignored", "a delta without a column that lineage needs names no keys", "src/worker/core/cascade.cc",
             'return Everything("a change was captured without a column that lineage needs", source);', "return true;",
             "unit:Cascade*"),
    Mutation("readers_of_readers", "a change does not reach TVIEWs over TVIEWs", "src/shared/dependency_graph.cc",
             "    for (const std::size_t reader : Readers(order_[i].relation)) is_reached[reader] = true;\n", "", "simulation"),
    Mutation("relevance_turned_round", "an update counts where it has changed nothing relevant", "src/shared/lineage.cc",
             "std::find(changed.begin(), changed.end(), attribute) != changed.end();",
             "std::find(changed.begin(), changed.end(), attribute) == changed.end();", "simulation"),
    # --- Capture
    Mutation("old_version_dropped", "an update notes where the row is, not where it was",
             "src/backend/capture/trigger_function.cc",
             "  TVIEWS_RETURN_IF_ERROR(AddKey(target, layout, scratch.key, before, kRemoved));\n", "",
             "regress:lineage_results"),
    Mutation("null_is_no_change", "an update to NULL counts as no change", "src/backend/capture/trigger_function.cc",
             "    return before.tts_isnull[i] != after.tts_isnull[i];", "    return false;", "regress:capture_dml"),
    # --- Group states
    Mutation("image_not_doubted", "a record that has been applied is counted again", "src/worker/batch/batch_records.cc",
             "  if (!is_once) coalescer->DoubtImages();\n", "", "system:group_states"),
    Mutation("uncounted_is_counted", "a change without an image counts", "src/shared/delta.cc",
             "  MarkUncounted();\n  return AddCounted(layout, key);", "  return AddCounted(layout, key);", "system:group_states"),
    Mutation("scales_together", "display scales are not kept apart", "src/shared/pg/planner/group_parts.cc",
             '" ELSE scale(%s) END"', '" ELSE least(scale(%s), 0) END"', "regress:group_states"),
    Mutation("extremes_believed", "an extreme that goes is kept", "src/shared/pg/planner/group_aggregates.cc",
             "THEN NULL ELSE '?' END", "THEN NULL ELSE NULL END", "regress:group_levels"),
    Mutation("joined_as_now", "what joins with a change is as it is, though it changes too", "src/worker/core/join_rule.cc",
             "      if (changed[other]) step[other] = JoinedAs::kBefore;\n", "", "regress:group_levels"),
    Mutation("states_in_audit", "a comparison of the whole leaves states alone", "src/worker/batch/refresh_round.cc",
             "    TVIEWS_RETURN_IF_ERROR(state_.groups.Doubt(tview.relation));\n", "", "regress:group_states"),
    # --- Lineage
    Mutation("from_nullable", "a path begins on the nullable side of a join below", "src/backend/lineage/joins.cc",
             "  if (from_nullable) return false;\n", "  if (from_nullable && to_nullable) return false;\n",
             "regress:lineage_counterexamples"),
    Mutation("inner_to_nullable", "a path ends at the nullable side of a join below", "src/backend/lineage/joins.cc",
             "    case JoinKind::kLateral:\n      return !to_nullable;", "    case JoinKind::kLateral:\n      return true;",
             "regress:lineage_counterexamples"),
    Mutation("left_from_preserved", "a path leaves the preserved side of an outer join", "src/backend/lineage/joins.cc",
             "      if (!Has(conjunct.nullable_side, from)) return false;\n", "", "regress:lineage_counterexamples"),
    Mutation("mates_dropped", "rows of the same window partition are forgotten", "src/backend/lineage/exits.cc",
             "      if (!AreCovered(expressions, block, request, Dependent::kIsUncovered)) exit->mates.Add(block);\n",
             "      if (!AreCovered(expressions, block, request, Dependent::kIsUncovered)) continue;\n", "regress:lineage_counterexamples"),
    Mutation("limit_ignored", "a path leaves a query whose rows LIMIT cuts", "src/backend/lineage/exits.cc",
             "  if (HasLimit(query)) {", "  if (false) {", "regress:lineage_counterexamples"),
    # --- Batches and their writing
    Mutation("nested_old_key", "TVIEWs over a TVIEW do not hear which row one was", "src/worker/refresh/change_notes.cc",
             "    changes_->Add(tview_, layout_, old_key_);\n", "", "regress:lineage_results"),
    Mutation("missing_kept", "a document whose row is gone stays", "src/worker/write/tview_writer.cc",
             "  if (FindStoredRow(writer->stored, key, writer->old_row)) {",
             "  if (FindStoredRow(writer->stored, key, writer->old_row) && writer->track_seen) {", "regress:capture_dml"),
    Mutation("catalogs_unchecked", "a batch does not see that catalogs have moved since its snapshot",
             "src/worker/batch/batch_catalog.cc", "return has_moved ? Moved() : absl::OkStatus();",
             "return has_moved && has_moved_ ? Moved() : absl::OkStatus();",
             "isolation:source_ddl_vs_batch"),
]
