#include "shared/pg/planner/planner_defaults.h"

#include <cstring>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <jit/jit.h>
#include <utils/guc.h>
#include <utils/guc_tables.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// Of other groups than the planner's. Two names of one setting, by version.
constexpr const char* kOthers[] = {
    "work_mem",
    "hash_mem_multiplier",
    "force_parallel_mode",
    "debug_parallel_query",
    "max_parallel_workers_per_gather",
};

bool IsOfPlanner(const config_generic& setting) {
  switch (setting.group) {
    case QUERY_TUNING_METHOD:
    case QUERY_TUNING_COST:
    case QUERY_TUNING_GEQO:
    case QUERY_TUNING_OTHER:
      return true;
    default:
      break;
  }
  for (const char* other : kOthers) {
    if (strcmp(setting.name, other) == 0) return true;
  }
  return false;
}

// Null: it is of no kind that planner settings have.
const char* BuiltInValue(config_generic* setting) {
  switch (setting->vartype) {
    case PGC_BOOL:
      return reinterpret_cast<config_bool*>(setting)->boot_val ? "on" : "off";
    case PGC_INT:
      return psprintf("%d", reinterpret_cast<config_int*>(setting)->boot_val);
    case PGC_REAL:
      return psprintf("%.17g", reinterpret_cast<config_real*>(setting)->boot_val);
    case PGC_ENUM: {
      auto* const option = reinterpret_cast<config_enum*>(setting);
      return config_enum_lookup_by_value(option, option->boot_val);
    }
    default:
      return nullptr;
  }
}

constexpr char kFileLimit[] = "temp_file_limit";
// Compiling costs more than any of these statements gains.
constexpr char kJit[] = "jit";

void Set(const char* name, const char* value) {
  set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

// Raises. Those that EXPLAIN (SETTINGS) would name are those that differ.
int SetDefaults(FileLimit files) {
  int count = 0;
  int level = 0;
  config_generic** const changed = get_explain_guc_options(&count);
  for (int i = 0; i < count; ++i) {
    if (!IsOfPlanner(*changed[i]) || strcmp(changed[i]->name, kJit) == 0) continue;
    const char* const value = BuiltInValue(changed[i]);
    if (value == nullptr) continue;
    if (level == 0) level = NewGUCNestLevel();
    Set(changed[i]->name, value);
  }
  pfree(changed);
  if (jit_enabled) {
    if (level == 0) level = NewGUCNestLevel();
    Set(kJit, "off");
  }
  if (files == FileLimit::kNone && temp_file_limit >= 0) {
    if (level == 0) level = NewGUCNestLevel();
    Set(kFileLimit, "-1");
  }
  return level;
}

}  // namespace

absl::StatusOr<PlannerDefaults> PlannerDefaults::Make(FileLimit files) {
  PlannerDefaults defaults;
  TVIEWS_RETURN_IF_ERROR(Call([&] { defaults.guc_level_ = SetDefaults(files); }));
  return defaults;
}

PlannerDefaults::PlannerDefaults(PlannerDefaults&& other) noexcept
    : guc_level_(std::exchange(other.guc_level_, 0)) {}

PlannerDefaults::~PlannerDefaults() {
  if (guc_level_ != 0) AtEOXact_GUC(false, guc_level_);
}

}  // namespace tviews::pg
