#include "worker/refresh/key_rows.h"

#include <string>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/receiver.h"
#include "shared/pg/server/datum_image.h"
#include "shared/refresh_plan.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <executor/tuptable.h>
#include <tcop/dest.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {
namespace {

// Hands every row of a query to a C++ function.
struct FunctionReceiver {
  DestReceiver receiver;  // first
  absl::FunctionRef<absl::Status(TupleTableSlot*)>* visit;

  static bool Receive(TupleTableSlot* row, DestReceiver* self) {
    auto* const visit = reinterpret_cast<FunctionReceiver*>(self)->visit;
    return pg::Enter<bool>([visit, row]() -> absl::StatusOr<bool> {
      TVIEWS_RETURN_IF_ERROR((*visit)(row));
      return true;
    });
  }
};

// Of the key: an image of it, or fields of a source key.
enum class KeyForm { kImage, kFields };

// The key in the columns of a row, or a part of it as a source key; nullopt if one of them is NULL.
absl::StatusOr<std::optional<std::string>> KeyIn(TupleTableSlot* row,
                                                 const std::vector<pg::TypeShape>& shapes,
                                                 KeyForm form) {
  TVIEWS_RETURN_IF_ERROR(pg::Call([row] { slot_getallattrs(row); }));
  std::string key;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (row->tts_isnull[i]) return std::nullopt;
    if (shapes.size() == 1 && form == KeyForm::kImage)
      return pg::DatumImage(row->tts_values[0], shapes[0]);
    TVIEWS_RETURN_IF_ERROR(pg::AppendDatumField(row->tts_values[i], false, shapes[i], &key));
  }
  return key;
}

absl::StatusOr<std::vector<pg::TypeShape>> ShapesOf(const TviewDefinition& tview,
                                                    const std::vector<std::size_t>& part) {
  std::vector<pg::TypeShape> shapes;
  for (const std::size_t i : part) {
    TVIEWS_ASSIGN_OR_RETURN(shapes.emplace_back(), pg::ShapeOf(tview.key[i].type));
  }
  return shapes;
}

}  // namespace

absl::Status VisitRows(absl::FunctionRef<absl::Status(TupleTableSlot*)> visit, RunQuery run) {
  FunctionReceiver receiver{};
  pg::InitializeReceiver(&receiver.receiver, FunctionReceiver::Receive);
  receiver.visit = &visit;
  return run(&receiver.receiver);
}

absl::Status VisitKeys(const TviewDefinition& tview, const std::vector<std::size_t>& part,
                       absl::FunctionRef<void(std::optional<std::string_view>)> emit,
                       RunQuery run) {
  const KeyForm form = part.empty() ? KeyForm::kImage : KeyForm::kFields;
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<pg::TypeShape> shapes,
                          ShapesOf(tview, part.empty() ? WholeKey(tview) : part));
  return VisitRows(
      [&](TupleTableSlot* row) -> absl::Status {
        TVIEWS_ASSIGN_OR_RETURN(const std::optional<std::string> key, KeyIn(row, shapes, form));
        emit(key);
        return absl::OkStatus();
      },
      run);
}

}  // namespace tviews::worker
