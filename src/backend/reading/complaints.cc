#include "backend/reading/complaints.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "backend/tview/names.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/extension_version.h"
#include "shared/sql_text.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/inval.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {

bool IsStrict() { return pg::settings::read_consistency == pg::settings::kStrict; }

namespace {

absl::Status Complain(const char* message, const char* detail, const char* hint) {
  if (IsStrict()) {
    return pg::MakeError(absl::StatusCode::kFailedPrecondition,
                         {.message = message, .detail = detail, .hint = hint});
  }
  return pg::Call([&] {
    ereport(WARNING, (errmsg("%s", message), errdetail("%s", detail), errhint("%s", hint)));
  });
}

// After the wait, so its adoption has failed.
absl::Status ReportUnadopted(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
  return Complain(
      ("TVIEW \"" + name + "\" waits to be adopted").c_str(),
      "It has come with a dump or a copy of a database, or has lost its metadata, and does not "
      "follow its sources yet.",
      "See pg_tview_dead_letter for what is in the way; it is tried again by itself.");
}

absl::Status ReportPause(const std::optional<std::string>& lane) {
  const char* const detail = "They do not show every change that they should.";
  if (!lane.has_value()) {
    return Complain("TVIEWs are read as they stand: the applier of this database is paused", detail,
                    "pg_tviews_resume() lets it go on.");
  }
  const std::string message =
      absl::StrCat("TVIEWs are read as they stand: lane \"", *lane, "\" is paused");
  const std::string hint =
      absl::StrCat("pg_tviews_resume(", QuoteLiteral(*lane), ") lets it go on.");
  return Complain(message.c_str(), detail, hint.c_str());
}

absl::Status ReportGivenUp(const ReadTviews& reads) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<GivenUp> given_up, GivenUpTviews());
  for (const GivenUp& tview : given_up) {
    if (!absl::c_linear_search(reads.concerned.tviews, tview.tview)) continue;
    TVIEWS_RETURN_IF_ERROR(Complain(("TVIEW \"" + tview.name + "\" is left behind").c_str(),
                                    ("It stands as it was before: " + tview.reason + ".").c_str(),
                                    kGivenUpHint));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> VersionsDiffer() {
  const absl::Status status = pg::CheckVersion();
  if (status.ok()) return false;
  if (IsStrict()) return status;
  TVIEWS_RETURN_IF_ERROR(Complain("TVIEWs are read as they stand: no changes are applied",
                                  std::string(status.message()).c_str(),
                                  pg::ErrorHint(status).c_str()));
  return true;
}

absl::Status ReportEnd(Waited waited) {
  switch (waited) {
    case Waited::kDone:
    case Waited::kDoneForThese:
      return absl::OkStatus();
    case Waited::kTimedOut:
      return TimedOut();
    case Waited::kPaused:
      return ReportPause(PausedLane());
    case Waited::kDisabled:
      return Complain("TVIEWs are read as they stand: pg_tviews.enabled is off",
                      "They do not show every change that they should.",
                      "Set pg_tviews.enabled to on and reload the configuration.");
  }
  return absl::OkStatus();
}

absl::Status ReportStandstill(Look look) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([] { AcceptInvalidationMessages(); }));
  TVIEWS_ASSIGN_OR_RETURN(const ReadTviews reads, look());
  TVIEWS_RETURN_IF_ERROR(ReportGivenUp(reads));
  for (const RelationId tview : reads.concerned.tviews) {
    TVIEWS_ASSIGN_OR_RETURN(const std::optional<pg::TviewState> state, pg::StateOfTview(tview));
    if (!state.has_value()) continue;
    if (!state->is_adopted) {
      TVIEWS_RETURN_IF_ERROR(ReportUnadopted(tview));
      continue;
    }
    TVIEWS_ASSIGN_OR_RETURN(const bool has_letter, pg::HasDeadLetter(tview));
    if (!has_letter) continue;
    TVIEWS_ASSIGN_OR_RETURN(const std::string name, RelationDisplayName(tview));
    if (state->is_quarantined) {
      TVIEWS_RETURN_IF_ERROR(
          Complain(("TVIEW \"" + name + "\" is in quarantine").c_str(),
                   "It stands as it was before its query failed.",
                   "See pg_tview_dead_letter; pg_tviews_retry() brings it back."));
      continue;
    }
    TVIEWS_RETURN_IF_ERROR(
        Complain(("keys of TVIEW \"" + name + "\" are in quarantine").c_str(),
                 "Their rows stand as they were before its query failed for them.",
                 "See pg_tview_dead_letter; correct the source rows, or call pg_tviews_retry()."));
  }
  return absl::OkStatus();
}

}  // namespace tviews::backend
