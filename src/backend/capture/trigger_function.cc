#include "backend/capture/trigger_function.h"

#include <string>
#include <vector>

#include "backend/capture/moved_rows.h"
#include "backend/capture/transaction.h"
#include "shared/delta.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/export.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/pause_point.h"
#include "shared/pg/server/datum_image.h"
#include "shared/pg/tables/capture_config.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <commands/trigger.h>
#include <executor/executor.h>
#include <executor/tuptable.h>
#include <miscadmin.h>
#include <utils/rel.h>
#include <utils/tuplestore.h>
#include "shared/pg/boundary/postgres_end.h"

extern "C" {
PG_FUNCTION_INFO_V1(tviews_capture);
}

namespace tviews::backend {
namespace {

// Buffers that keep their memory from row to row.
struct Scratch {
  std::string key;
  std::string key_after;
  std::string image;
  Layout layout;
};

Scratch& TheScratch() {
  static NoDestructor<Scratch> scratch;
  return *scratch;
}

absl::Status WrongUse(const char* detail) {
  return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                       {.message = "pg_tviews_capture was not called as its trigger",
                        .detail = detail,
                        .hint = "pg_tviews creates the triggers it needs.",
                        .sqlstate = "39P01"});
}

// Writes the captured columns of `version` to `key`. REQUIRES: the slot's attributes up to the
// configuration's highest are there.
absl::Status ReadColumns(const std::vector<pg::MappedColumn>& columns,
                         const TupleTableSlot& version, std::string* key) {
  key->clear();
  for (const pg::MappedColumn& column : columns) {
    const int i = column.in_changed - 1;
    TVIEWS_RETURN_IF_ERROR(
        pg::AppendDatumField(version.tts_values[i], version.tts_isnull[i], column.shape, key));
  }
  return absl::OkStatus();
}

// What a row version is to group states.
constexpr int kRemoved = -1;
constexpr int kNotCounted = 0;
constexpr int kAdded = 1;

absl::Status AddKey(const pg::CaptureTarget& target, const Layout& layout, const std::string& key,
                    const TupleTableSlot& version, int weight) {
  TransactionBuffer& buffer = TransactionBuffer::Instance();
  if (!target.is_counted || weight == kNotCounted) return buffer.Add(target.source, layout, key);
  std::string& image = TheScratch().image;
  TVIEWS_RETURN_IF_ERROR(ReadColumns(target.counted, version, &image));
  return buffer.AddCounted(target.source, layout, key, target.image_columns, image, weight);
}

absl::Status AddVersion(const pg::CaptureTarget& target, const TupleTableSlot& version,
                        Versions versions, int weight) {
  if (versions == Versions::kThatCount) {
    TVIEWS_ASSIGN_OR_RETURN(const bool counts, target.filter.Passes(version));
    if (!counts) return absl::OkStatus();
  }
  std::string& key = TheScratch().key;
  TVIEWS_RETURN_IF_ERROR(ReadColumns(target.captured, version, &key));
  return AddKey(target, target.layout, key, version, weight);
}

absl::Status AddVersions(const pg::CaptureConfig& config, const TupleTableSlot& version,
                         Versions versions, int weight) {
  for (const pg::CaptureTarget& target : config.targets) {
    if (target.is_unmapped) {
      TVIEWS_RETURN_IF_ERROR(TransactionBuffer::Instance().MarkWhole(target.source));
    } else {
      TVIEWS_RETURN_IF_ERROR(AddVersion(target, version, versions, weight));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> IsChanged(const pg::MappedColumn& column, const TupleTableSlot& before,
                               const TupleTableSlot& after) {
  const int i = column.in_changed - 1;
  if (before.tts_isnull[i] || after.tts_isnull[i]) {
    return before.tts_isnull[i] != after.tts_isnull[i];
  }
  TVIEWS_ASSIGN_OR_RETURN(const bool is_same,
                          pg::SameImage(before.tts_values[i], after.tts_values[i], column.shape));
  return !is_same;
}

absl::Status AddUpdate(const pg::CaptureTarget& target, const TupleTableSlot& before,
                       const TupleTableSlot& after) {
  Scratch& scratch = TheScratch();
  Layout& layout = scratch.layout;
  layout.changed.clear();
  for (const pg::MappedColumn& column : target.relevant) {
    TVIEWS_ASSIGN_OR_RETURN(const bool is_changed, IsChanged(column, before, after));
    if (is_changed) layout.changed.push_back(column.in_source);
  }
  if (layout.changed.empty()) return absl::OkStatus();
  layout.columns = target.layout.columns;
  // Each version counts by itself.
  TVIEWS_ASSIGN_OR_RETURN(const bool before_counts, target.filter.Passes(before));
  TVIEWS_ASSIGN_OR_RETURN(const bool after_counts, target.filter.Passes(after));
  if (before_counts) {
    TVIEWS_RETURN_IF_ERROR(ReadColumns(target.captured, before, &scratch.key));
    TVIEWS_RETURN_IF_ERROR(AddKey(target, layout, scratch.key, before, kRemoved));
  }
  if (!after_counts) return absl::OkStatus();
  TVIEWS_RETURN_IF_ERROR(ReadColumns(target.captured, after, &scratch.key_after));
  if (before_counts && scratch.key_after == scratch.key && !target.is_counted) {
    return absl::OkStatus();
  }
  return AddKey(target, layout, scratch.key_after, after, kAdded);
}

absl::Status ReadUpdate(const pg::CaptureConfig& config, const TupleTableSlot& before,
                        const TupleTableSlot& after) {
  for (const pg::CaptureTarget& target : config.targets) {
    if (target.is_unmapped) {
      TVIEWS_RETURN_IF_ERROR(TransactionBuffer::Instance().MarkWhole(target.source));
    } else {
      TVIEWS_RETURN_IF_ERROR(AddUpdate(target, before, after));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadRow(const TriggerData& trigger, const pg::CaptureConfig& config) {
  const bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event);
  TupleTableSlot* const version = trigger.tg_trigslot;  // the old one of an update
  TupleTableSlot* const after = is_update ? trigger.tg_newslot : nullptr;
  if (config.highest_attribute > 0) {
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      slot_getsomeattrs(version, config.highest_attribute);
      if (after != nullptr) slot_getsomeattrs(after, config.highest_attribute);
    }));
  }
  if (is_update) return ReadUpdate(config, *version, *after);
  return AddVersions(config, *version, Versions::kThatCount,
                     TRIGGER_FIRED_BY_DELETE(trigger.tg_event) ? kRemoved : kAdded);
}

// A transition table that is read row by row, with a position of its own: others read it too.
struct Transition {
  Tuplestorestate* store;
  int position;
  TupleTableSlot* row;
};

Transition OpenTransition(Tuplestorestate* store, Relation relation) {
  if (store == nullptr) return {};
  Transition transition{
      .store = store,
      .position = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND),
      .row = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsMinimalTuple)};
  tuplestore_select_read_pointer(store, transition.position);
  tuplestore_rescan(store);
  return transition;
}

bool NextRow(const Transition& transition, int attributes) {
  if (transition.store == nullptr) return false;
  tuplestore_select_read_pointer(transition.store, transition.position);
  if (!tuplestore_gettupleslot(transition.store, true, false, transition.row)) return false;
  if (attributes > 0) slot_getsomeattrs(transition.row, attributes);
  return true;
}

void CloseTransition(const Transition& transition) {
  if (transition.row != nullptr) ExecDropSingleTupleTableSlot(transition.row);
}

// The transition tables of one statement. Those of an UPDATE have the versions of a row at the same
// place, because statement triggers are on tables without partitions only
// (capture/trigger_installation.h).
absl::Status ReadStatement(const TriggerData& trigger, const pg::CaptureConfig& config) {
  const bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event);
  Transition before{};
  Transition after{};
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    before = OpenTransition(trigger.tg_oldtable, trigger.tg_relation);
    after = OpenTransition(trigger.tg_newtable, trigger.tg_relation);
  }));
  for (;;) {
    bool has_before = false;
    bool has_after = false;
    TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
      CHECK_FOR_INTERRUPTS();
      has_before = NextRow(before, config.highest_attribute);
      has_after = NextRow(after, config.highest_attribute);
    }));
    if (!has_before && !has_after) break;
    if (is_update && has_before && has_after) {
      TVIEWS_RETURN_IF_ERROR(ReadUpdate(config, *before.row, *after.row));
    } else {
      if (has_before)
        TVIEWS_RETURN_IF_ERROR(AddVersions(config, *before.row, Versions::kThatCount, kRemoved));
      if (has_after)
        TVIEWS_RETURN_IF_ERROR(AddVersions(config, *after.row, Versions::kThatCount, kAdded));
    }
  }
  return pg::Call([&] {
    CloseTransition(before);
    CloseTransition(after);
  });
}

bool HasTransitionTables(const TriggerData& trigger) {
  const bool needs_old = !TRIGGER_FIRED_BY_INSERT(trigger.tg_event);
  const bool needs_new = !TRIGGER_FIRED_BY_DELETE(trigger.tg_event);
  return (!needs_old || trigger.tg_oldtable != nullptr) &&
         (!needs_new || trigger.tg_newtable != nullptr);
}

}  // namespace

absl::Status CaptureTrigger::ReadVersion(const pg::CaptureConfig& config,
                                         const TupleTableSlot& version, Versions versions) {
  return AddVersions(config, version, versions, kNotCounted);
}

absl::Status CaptureTrigger::Read(const TriggerData& trigger) {
  if (!TRIGGER_FIRED_AFTER(trigger.tg_event)) return WrongUse("It has to be an AFTER trigger.");
  const RelationId relation = RelationGetRelid(trigger.tg_relation);
  if (TRIGGER_FIRED_BY_TRUNCATE(trigger.tg_event)) {
    return IsTruncateNoted(relation) ? absl::OkStatus() : NoteWholeRelation(relation);
  }
  const bool for_row = TRIGGER_FIRED_FOR_ROW(trigger.tg_event);
  if (!for_row && !HasTransitionTables(trigger)) {
    return WrongUse("FOR EACH STATEMENT it needs the transition tables, except for TRUNCATE.");
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::CaptureConfig* const config, pg::CaptureConfigOf(relation));
  if (config->targets.empty()) return absl::OkStatus();
  return for_row ? ReadRow(trigger, *config) : ReadStatement(trigger, *config);
}

}  // namespace tviews::backend

TVIEWS_EXPORT Datum tviews_capture(PG_FUNCTION_ARGS) {
  tviews::pg::Enter<bool>([fcinfo]() -> absl::StatusOr<bool> {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
      return tviews::backend::WrongUse("It can be called by the trigger manager only.");
    }
    const auto& trigger = *reinterpret_cast<const TriggerData*>(fcinfo->context);
    TVIEWS_RETURN_IF_ERROR(tviews::backend::CaptureTrigger::Read(trigger));
    TVIEWS_RETURN_IF_ERROR(tviews::pg::PausePoint("after_capture"));
    return true;
  });
  return PointerGetDatum(nullptr);
}
