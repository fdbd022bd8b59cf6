// Statements that the applier executes again and again, prepared once.
//
// Layer:   worker
// Sharing: private to the applier
// Errors:  returns Status
//
// Keyed by text, planning mode and magnitude of the rows it reads by name. The server's plan cache
// below re-plans what invalidation touches. Whether policies apply to a role is part of a plan; not
// every minor version of the server re-plans when that changes, so a change of roles empties ours.

#ifndef PG_TVIEWS_WORKER_REFRESH_STATEMENT_CACHE_H_
#define PG_TVIEWS_WORKER_REFRESH_STATEMENT_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "shared/lru_map.h"
#include "shared/types.h"

struct _SPI_plan;
struct _DestReceiver;
struct ParamListInfoData;

namespace tviews::worker {

enum class Planning : std::uint8_t {
  kGeneric,  // once; for statements whose plan does not depend on the parameter
  kCustom,   // at every execution, with the parameter known
  kWatched,  // once, until an execution reads much: then as kCustom for a while
};

// $1, $2, ...
struct StatementParameter {
  TypeId type = 0;
  std::uintptr_t value = 0;
};
using StatementParameters = std::vector<StatementParameter>;

// The server's list of the parameters, in the current memory context; null if there are none.
// Raises; for use inside pg::Call.
ParamListInfoData* ListOf(const StatementParameters& parameters);

// What the statement's parameters are declared as.
std::vector<TypeId> TypesOf(const StatementParameters& parameters);

class StatementCache {
 public:
  // Executes `sql` under the active snapshot, read-only, sending its rows to `destination`.
  // Relations registered with the current SPI connection are visible to it. REQUIRES: an SPI
  // connection is open.
  absl::Status Execute(const std::string& sql, Planning planning, std::size_t magnitude,
                       const StatementParameters& parameters, _DestReceiver* destination);

  // The planner's estimate of the number of rows that `sql`, planned as kGeneric, returns.
  // REQUIRES: an SPI connection is open.
  absl::StatusOr<double> EstimateRows(const std::string& sql);

  // While an object lives, statements are others than those of the same text without it: they are
  // planned with something else in force.
  class Variant {
   public:
    Variant(StatementCache* cache, std::string name) : cache_(*cache) {
      cache_.variant_ = std::move(name);
    }
    ~Variant() { cache_.variant_.clear(); }
    Variant(const Variant&) = delete;
    Variant& operator=(const Variant&) = delete;

   private:
    StatementCache& cache_;
  };

  // Forgets every statement.
  void Clear();

  std::size_t size() const { return plans_.size(); }

 private:
  absl::StatusOr<_SPI_plan*> Prepare(const std::string& sql, Planning planning,
                                     std::size_t magnitude, std::vector<TypeId> parameter_types);

  void CountSize() const;
  void NotePages(const std::string& sql, std::int64_t pages);

  LruMap<std::string, _SPI_plan*> plans_;  // at most pg_tviews.prepared_stmt_cache_size
  // Watched statements that have read much, and how many executions in a row may read little until
  // that is forgotten.
  absl::flat_hash_map<std::string, int> heavy_;
  std::uint64_t role_changes_seen_ = 0;
  std::string variant_;
  bool has_new_ = false;  // one that has not been executed yet
};

// 1, 10, 30, 100, 300, 1000, 2000, 4000, ...: the smallest not below `count`.
std::size_t MagnitudeOf(std::size_t count);

}  // namespace tviews::worker

#endif  // PG_TVIEWS_WORKER_REFRESH_STATEMENT_CACHE_H_
