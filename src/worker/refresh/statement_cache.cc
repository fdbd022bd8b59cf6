#include "worker/refresh/statement_cache.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/settings.h"
#include "shared/pg/shmem/cache_stats.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/instrument.h>
#include <executor/spi.h>
#include <nodes/params.h>
#include <nodes/parsenodes.h>
#include <nodes/plannodes.h>
#include <utils/inval.h>
#include <utils/memutils.h>
#include <utils/plancache.h>
#include <utils/resowner.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// An execution that reads so many pages is worth a plan of its own: planning is nothing beside it,
// and the usual key, for which a statement is planned once, is not like this one.
constexpr std::int64_t kManyPages = 1000;
constexpr int kLightUntilForgotten = 100;

std::uint64_t role_changes = 0;

void OnRoleChange(Datum, int, uint32) { ++role_changes; }

// Once in a process: a callback stays. Inside a Call.
void WatchRoles() {
  static bool is_watching = false;
  if (is_watching) return;
  CacheRegisterSyscacheCallback(AUTHOID, OnRoleChange, Datum{0});
  CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, OnRoleChange, Datum{0});
  is_watching = true;
}

std::int64_t PagesRead() { return pgBufferUsage.shared_blks_hit + pgBufferUsage.shared_blks_read; }

}  // namespace

std::size_t MagnitudeOf(std::size_t count) {
  for (const std::size_t magnitude : {1, 10, 30, 100, 300, 1000}) {
    if (count <= magnitude) return magnitude;
  }
  std::size_t magnitude = 1000;
  while (magnitude < count) magnitude *= 2;
  return magnitude;
}

ParamListInfoData* ListOf(const StatementParameters& parameters) {
  if (parameters.empty()) return nullptr;
  const int count = static_cast<int>(parameters.size());
  ParamListInfo const list = makeParamList(count);
  for (int i = 0; i < count; ++i) {
    list->params[i].value = parameters[i].value;
    list->params[i].isnull = false;
    list->params[i].pflags = PARAM_FLAG_CONST;
    list->params[i].ptype = parameters[i].type;
  }
  return list;
}

std::vector<TypeId> TypesOf(const StatementParameters& parameters) {
  std::vector<TypeId> types;
  for (const StatementParameter& parameter : parameters) types.push_back(parameter.type);
  return types;
}

absl::StatusOr<_SPI_plan*> StatementCache::Prepare(const std::string& sql, Planning planning,
                                                   std::size_t magnitude,
                                                   std::vector<TypeId> parameter_types) {
  if (role_changes_seen_ != role_changes) Clear();
  role_changes_seen_ = role_changes;
  const std::string key =
      absl::StrCat(static_cast<int>(planning), ":", magnitude, ":", variant_, ":", sql);
  if (SPIPlanPtr* const found = plans_.Find(key); found != nullptr) {
    pg::cache_stats::Hit(pg::CacheKind::kPlan);
    return *found;
  }
  pg::cache_stats::Miss(pg::CacheKind::kPlan);
  const int options =
      planning == Planning::kGeneric ? CURSOR_OPT_GENERIC_PLAN : CURSOR_OPT_CUSTOM_PLAN;
  SPIPlanPtr plan = nullptr;
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    WatchRoles();
    plan = SPI_prepare_cursor(sql.c_str(), static_cast<int>(parameter_types.size()),
                              parameter_types.data(), options);
    if (plan == nullptr) {
      elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
    }
    SPI_keepplan(plan);
  }));
  plans_.Insert(key, plan);
  const auto limit = static_cast<std::size_t>(pg::settings::prepared_stmt_cache_size);
  while (const std::optional<SPIPlanPtr> evicted = plans_.EvictBeyond(limit)) {
    SPI_freeplan(*evicted);
    pg::cache_stats::Evict(pg::CacheKind::kPlan);
  }
  has_new_ = true;
  return plan;
}

absl::Status StatementCache::Execute(const std::string& sql, Planning planning,
                                     std::size_t magnitude, const StatementParameters& parameters,
                                     _DestReceiver* destination) {
  const bool is_watched = planning == Planning::kWatched;
  if (is_watched) planning = heavy_.contains(sql) ? Planning::kCustom : Planning::kGeneric;
  TVIEWS_ASSIGN_OR_RETURN(SPIPlanPtr plan, Prepare(sql, planning, magnitude, TypesOf(parameters)));
  const std::int64_t pages_before = PagesRead();
  TVIEWS_RETURN_IF_ERROR(pg::Call([&] {
    SPIExecuteOptions options;
    memset(&options, 0, sizeof(options));
    options.read_only = true;
    options.dest = destination;
    options.params = ListOf(parameters);
    const int code = SPI_execute_plan_extended(plan, &options);
    if (code < 0) elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));
  }));
  if (is_watched) NotePages(sql, PagesRead() - pages_before);
  if (has_new_) CountSize();
  has_new_ = false;
  return absl::OkStatus();
}

void StatementCache::NotePages(const std::string& sql, std::int64_t pages) {
  if (pages >= kManyPages) {
    heavy_[sql] = kLightUntilForgotten;
    return;
  }
  const auto found = heavy_.find(sql);
  if (found != heavy_.end() && --found->second <= 0) heavy_.erase(found);
}

absl::StatusOr<double> StatementCache::EstimateRows(const std::string& sql) {
  TVIEWS_ASSIGN_OR_RETURN(SPIPlanPtr plan, Prepare(sql, Planning::kGeneric, 0, {}));
  return pg::CallFor([&] {
    CachedPlan* const cached = SPI_plan_get_cached_plan(plan);
    if (cached == nullptr) elog(ERROR, "one statement has several plans");
    const double rows = linitial_node(PlannedStmt, cached->stmt_list)->planTree->plan_rows;
    ReleaseCachedPlan(cached, CurrentResourceOwner);
    return rows;
  });
}

// The memory of the statements, with the plans that executing them has made.
void StatementCache::CountSize() const {
  std::size_t bytes = 0;
  for (const auto& [key, plan] : plans_) {
    const List* const sources = SPI_plan_get_plan_sources(plan);
    for (int i = 0; i < list_length(sources); ++i) {
      const auto* const source = static_cast<CachedPlanSource*>(list_nth(sources, i));
      bytes += MemoryContextMemAllocated(source->context, true);
      if (source->gplan != nullptr)
        bytes += MemoryContextMemAllocated(source->gplan->context, true);
    }
  }
  pg::cache_stats::SetSize(pg::CacheKind::kPlan, plans_.size(), bytes);
}

void StatementCache::Clear() {
  for (const auto& [key, plan] : plans_) SPI_freeplan(plan);
  plans_.Clear();
  heavy_.clear();
  pg::cache_stats::SetSize(pg::CacheKind::kPlan, 0, 0);
}

}  // namespace tviews::worker
