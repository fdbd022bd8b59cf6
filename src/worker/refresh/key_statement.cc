#include "worker/refresh/key_statement.h"

#include "shared/key_image.h"
#include "shared/pg/boundary/guard.h"
#include "shared/status_macros.h"
#include "worker/refresh/key_values.h"
#include "worker/refresh/named_rows.h"
#include "worker/refresh/shape_chooser.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/spi.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Up to this many keys an array statement is planned once, for the server's guess of ten: planning
// for the number that there is costs more than it saves.
constexpr std::size_t kGenericArray = 100;

// The shapes that read their keys by name.
absl::Status RunNamedKeys(const TviewDefinition& tview, const std::vector<std::string>& keys,
                          const std::string& sql, StatementCache* statements,
                          _DestReceiver* destination) {
  TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor, DescribeKeys(tview, WholeKey(tview)));
  const std::size_t magnitude = MagnitudeOf(keys.size());
  TVIEWS_RETURN_IF_ERROR(
      RegisterRows(kKeysName, descriptor, KeyRows(keys, tview.key.size()), magnitude));
  TVIEWS_RETURN_IF_ERROR(statements->Execute(sql, Planning::kGeneric, magnitude, {}, destination));
  return pg::Call([] { SPI_unregister_relation(kKeysName); });
}

}  // namespace

absl::Status RunKeys(const TviewDefinition& tview, const std::vector<std::string>& keys,
                     RefreshShape shape, StatementCache* statements, _DestReceiver* destination) {
  const std::string sql = RefreshStatement(tview, shape);
  if (shape == RefreshShape::kWhole) {
    return statements->Execute(sql, Planning::kGeneric, 0, {}, destination);
  }
  if (shape == RefreshShape::kLateral || shape == RefreshShape::kJoin) {
    return RunNamedKeys(tview, keys, sql, statements, destination);
  }
  TVIEWS_ASSIGN_OR_RETURN(const StatementParameters parameters, KeyParameters(tview, keys, shape));
  const bool is_watched = shape == RefreshShape::kSingle ||
                          (shape == RefreshShape::kArray && keys.size() <= kGenericArray);
  return statements->Execute(sql, is_watched ? Planning::kWatched : Planning::kCustom,
                             shape == RefreshShape::kSingle ? 1 : 0, parameters, destination);
}

}  // namespace tviews::worker
