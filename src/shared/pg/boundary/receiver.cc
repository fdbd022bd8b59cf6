#include "shared/pg/boundary/receiver.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <tcop/dest.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

void IgnoreColumns(DestReceiver*, int, TupleDesc) {}
void Ignore(DestReceiver*) {}

}  // namespace

void InitializeReceiver(DestReceiver* receiver, ReceiveRow receive, StartRows start, EndRows end) {
  receiver->receiveSlot = receive;
  receiver->rStartup = start != nullptr ? start : IgnoreColumns;
  receiver->rShutdown = end != nullptr ? end : Ignore;
  receiver->rDestroy = Ignore;
  receiver->mydest = DestNone;
}

}  // namespace tviews::pg
