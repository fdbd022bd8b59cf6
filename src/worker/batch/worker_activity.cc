#include "worker/batch/worker_activity.h"

#include <cstddef>

#include "shared/pg/boundary/postgres_begin.h"
#include <miscadmin.h>
#include <pgstat.h>
#include <utils/ps_status.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Enough for the name of any relation with its schema, quoted.
constexpr std::size_t kTextSize = 400;

void Show(const char* text) {
  pgstat_report_activity(STATE_RUNNING, text);
  set_ps_display(text);
}

}  // namespace

void ShowSearch(const TviewDefinition& tview) noexcept {
  char text[kTextSize];
  pg_snprintf(text, sizeof(text), "refresh %s: looking for keys", tview.qualified_name.c_str());
  Show(text);
}

void ShowRefresh(const TviewDefinition& tview, const AffectedKeys& affected) noexcept {
  char text[kTextSize];
  if (affected.everything) {
    pg_snprintf(text, sizeof(text), "refresh %s: everything", tview.qualified_name.c_str());
  } else {
    pg_snprintf(text, sizeof(text), "refresh %s: %zu key%s", tview.qualified_name.c_str(),
                affected.keys.size(), affected.keys.size() == 1 ? "" : "s");
  }
  Show(text);
}

void ShowIdle() noexcept {
  pgstat_report_activity(STATE_IDLE, nullptr);
  set_ps_display("idle");
}

}  // namespace tviews::worker
