#include "shared/pg/tables/relation_watch.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "shared/no_destructor.h"
#include "shared/pg/boundary/guard.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <utils/inval.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

std::uint64_t invalidations = 0;
std::uint64_t of_any_relation = 0;

absl::flat_hash_set<RelationId>& Watched() {
  static NoDestructor<absl::flat_hash_set<RelationId>> watched;
  return *watched;
}

void OnInvalidation(Datum, Oid relation) {
  EnterQuietly([&] {
    if (IsPretended(relation)) return;
    ++of_any_relation;
    if (relation == InvalidOid || Watched().contains(relation)) ++invalidations;
  });
}

}  // namespace

bool IsPretended(RelationId relation) { return relation == InvalidOid && debug_discard_caches > 0; }

void InitializeRelationWatch() { CacheRegisterRelcacheCallback(OnInvalidation, Datum{0}); }

bool WatchRelations(const std::vector<RelationId>& relations, std::uint64_t before) {
  absl::flat_hash_set<RelationId> watched(relations.begin(), relations.end());
  const bool has_new = std::any_of(watched.begin(), watched.end(),
                                   [](RelationId relation) { return !IsWatched(relation); });
  Watched() = std::move(watched);
  return has_new && of_any_relation != before;
}

bool IsWatched(RelationId relation) { return Watched().contains(relation); }

std::uint64_t WatchedInvalidations() { return invalidations; }

std::uint64_t RelationInvalidations() { return of_any_relation; }

}  // namespace tviews::pg
