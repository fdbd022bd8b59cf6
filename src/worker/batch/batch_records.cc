#include "worker/batch/batch_records.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/outbox.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/xlog.h>
#include <miscadmin.h>
#include <utils/snapmgr.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// What is assumed where a record is unreadable.
ChangeRecord EverythingChanged(const BatchCatalog& catalog) {
  ChangeRecord record;
  record.origin = Here();
  const auto mark = [&record](const std::vector<TviewDefinition>& tviews) {
    for (const TviewDefinition& tview : tviews) {
      for (const SourceLineage& source : tview.sources) record.deltas.MarkWhole(source.source);
    }
  };
  mark(catalog.graph().order());
  for (const auto& [lane, tviews] : catalog.other_lanes()) mark(tviews);
  return record;
}

// Keys forgive a record that is applied twice, images do not.
absl::Status CheckImages(const QueueReader& reader, Coalescer* coalescer) {
  const auto& relations = coalescer->common().relations();
  const bool has_images = std::any_of(relations.begin(), relations.end(),
                                      [](const auto& entry) { return entry.second.is_counted(); });
  if (!has_images) return absl::OkStatus();
  bool is_once = !reader.has_repeated();
  if (is_once) {
    TVIEWS_ASSIGN_OR_RETURN(is_once, pg::Outbox::AreThere(GetActiveSnapshot(), reader.consumed()));
  }
  if (!is_once) coalescer->DoubtImages();
  return absl::OkStatus();
}

}  // namespace

Origin Here() { return {.system_identifier = GetSystemIdentifier(), .database = MyDatabaseId}; }

absl::StatusOr<Coalescer> CollectRecords(QueueReader* reader, BatchOutbox* outbox,
                                         BatchCatalog* catalog) {
  const Origin here = Here();
  TVIEWS_ASSIGN_OR_RETURN(const RelationId meta, pg::CatalogTableId(pg::CatalogTable::kMeta));
  const std::size_t memory = static_cast<std::size_t>(pg::settings::batch_memory) * 1024;
  for (bool is_reloaded = false;; is_reloaded = true) {
    Coalescer coalescer(catalog->graph(), memory);
    bool metadata_changed = false;
    const auto fold = [&](FullXid xid, std::string_view payload) -> absl::Status {
      TVIEWS_RETURN_IF_ERROR(pg::Call([] { CHECK_FOR_INTERRUPTS(); }));
      absl::StatusOr<ChangeRecord> record = ParseChangeRecord(payload, memory);
      if (!record.ok()) {
        pg::LogFailure(record.status(),
                       "a change record cannot be read: every TVIEW is compared with its query");
        record = EverythingChanged(*catalog);
      }
      if (record->origin != here) return absl::OkStatus();
      if (record->deltas.Find(meta) != nullptr) metadata_changed = true;
      coalescer.Fold(xid, *std::move(record));
      return absl::OkStatus();
    };
    TVIEWS_RETURN_IF_ERROR(reader->Collect(outbox, fold));
    TVIEWS_RETURN_IF_ERROR(CheckImages(*reader, &coalescer));
    if (!metadata_changed || is_reloaded) return coalescer;
    TVIEWS_RETURN_IF_ERROR(catalog->Load());
  }
}

}  // namespace tviews::worker
