#include "worker/refresh/key_statement.h"

#include "shared/pg/boundary/guard.h"
#include "shared/pg/server/datum_image.h"
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
  TVIEWS_ASSIGN_OR_RETURN(TupleDescData * descriptor,
                          DescribeKeys(tview.relation, tview.key_attribute));
  const std::size_t magnitude = MagnitudeOf(keys.size());
  TVIEWS_RETURN_IF_ERROR(RegisterRows(kKeysName, descriptor, KeyRows(keys), magnitude));
  TVIEWS_RETURN_IF_ERROR(statements->Execute(sql, Planning::kGeneric, magnitude, {}, destination));
  return pg::Call([] { SPI_unregister_relation(kKeysName); });
}

}  // namespace

absl::Status RunKeys(const TviewDefinition& tview, const std::vector<std::string>& keys,
                     RefreshShape shape, StatementCache* statements, _DestReceiver* destination) {
  const std::string sql = RefreshStatement(tview, shape);
  TVIEWS_ASSIGN_OR_RETURN(const pg::TypeShape key_shape, pg::ShapeOf(tview.key_type));
  switch (shape) {
    case RefreshShape::kWhole:
      return statements->Execute(sql, Planning::kGeneric, 0, {}, destination);
    case RefreshShape::kSingle: {
      TVIEWS_ASSIGN_OR_RETURN(const Datum key, pg::DatumFromImage(keys[0], key_shape));
      return statements->Execute(sql, Planning::kWatched, 1, {.type = tview.key_type, .value = key},
                                 destination);
    }
    case RefreshShape::kArray: {
      TVIEWS_ASSIGN_OR_RETURN(const StatementParameter array,
                              KeyArray(keys, tview.key_type, key_shape));
      return statements->Execute(
          sql, keys.size() <= kGenericArray ? Planning::kWatched : Planning::kCustom, 0, array,
          destination);
    }
    case RefreshShape::kRange: {
      TVIEWS_ASSIGN_OR_RETURN(const StatementParameter bounds,
                              KeyBounds(keys, tview.key_type, key_shape));
      return statements->Execute(sql, Planning::kCustom, 0, bounds, destination);
    }
    case RefreshShape::kLateral:
    case RefreshShape::kJoin:
      break;
  }
  return RunNamedKeys(tview, keys, sql, statements, destination);
}

}  // namespace tviews::worker
