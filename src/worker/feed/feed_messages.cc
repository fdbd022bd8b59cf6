#include "worker/feed/feed_messages.h"

#include <cstdint>

#include "worker/feed/key_printer.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <commands/async.h>
#include <fmgr.h>
#include <lib/stringinfo.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/json.h>
#include <utils/lsyscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::worker {

struct FeedMessages {
  const char* channel;
  const char* head;  // {"tview": ..., "by": ..., "frontier": ...
  StringInfoData lists[kFeedOperations];
  std::size_t size;  // of the message that the lists make
  KeyPrinter* print;
  bool is_muted;
  std::uint64_t named;
  std::uint64_t unnamed;
};

namespace {

// The server takes payloads up to, not including, this length.
constexpr std::size_t kServerLimit = BLCKSZ - NAMEDATALEN - 128;
constexpr std::size_t kLongestValue = 2000;
constexpr std::size_t kLongestFrontier = 1000;
constexpr std::uint64_t kNamedDocuments = 10000;
constexpr double kFullQueue = 0.5;

constexpr const char* kListNames[kFeedOperations] = {"inserted", "updated", "deleted"};

bool QueueIsFull() {
  static bool was_full = false;
  const bool is_full =
      DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, Datum{0})) >= kFullQueue;
  if (is_full && !was_full) {
    ereport(LOG, (errmsg("pg_tviews sends no notifications while the server's queue is half full"),
                  errdetail("A session that listens has been in a transaction for too long.")));
  }
  was_full = is_full;
  return is_full;
}

// The columns that name documents: "id", or ["tenant_id", "code"].
void AppendNames(const KeyAttributes& columns, RelationId tview, StringInfo text) {
  if (columns.count > 1) appendStringInfoChar(text, '[');
  for (int i = 0; i < columns.count; ++i) {
    if (i > 0) appendStringInfoString(text, ", ");
    escape_json(text, get_attname(tview, columns.numbers[i], false));
  }
  if (columns.count > 1) appendStringInfoChar(text, ']');
}

KeyAttributes NamingColumns(const FeedSource& source) {
  KeyAttributes columns = source.key;
  if (source.id == 0) return columns;
  columns.count = 1;
  columns.numbers[0] = source.id;
  return columns;
}

const char* MakeHead(const FeedSource& source) {
  const TviewDefinition& tview = *source.tview;
  StringInfoData head;
  initStringInfo(&head);
  appendStringInfoString(&head, "{\"tview\": ");
  escape_json(&head,
              quote_qualified_identifier(get_namespace_name(get_rel_namespace(tview.relation)),
                                         get_rel_name(tview.relation)));
  appendStringInfoString(&head, ", \"by\": ");
  AppendNames(NamingColumns(source), tview.relation, &head);
  appendStringInfoString(&head, ", \"frontier\": ");
  if (strlen(source.frontier) <= kLongestFrontier) {
    escape_json(&head, source.frontier);
  } else {
    appendStringInfoString(&head, "null");
  }
  return head.data;
}

void ResetLists(FeedMessages* messages) {
  for (StringInfoData& list : messages->lists) resetStringInfo(&list);
  messages->size = strlen(messages->head) + sizeof("}");
}

void Send(FeedMessages* messages, const char* payload) {
  if (!messages->is_muted) Async_Notify(messages->channel, payload);
}

void SendLists(FeedMessages* messages) {
  StringInfoData payload;
  initStringInfo(&payload);
  appendStringInfoString(&payload, messages->head);
  bool any = false;
  for (int i = 0; i < kFeedOperations; ++i) {
    if (messages->lists[i].len == 0) continue;
    appendStringInfo(&payload, ", \"%s\": [%s]", kListNames[i], messages->lists[i].data);
    any = true;
  }
  appendStringInfoChar(&payload, '}');
  if (any) Send(messages, payload.data);
  pfree(payload.data);
  ResetLists(messages);
}

void SendCount(FeedMessages* messages) {
  StringInfoData payload;
  initStringInfo(&payload);
  appendStringInfo(&payload, "%s, \"unnamed\": " UINT64_FORMAT "}", messages->head,
                   messages->unnamed);
  Send(messages, payload.data);
  pfree(payload.data);
}

}  // namespace

FeedMessages* OpenFeedMessages(const FeedSource& source) {
  auto* const messages = static_cast<FeedMessages*>(palloc0(sizeof(FeedMessages)));
  const TviewDefinition& tview = *source.tview;
  messages->channel = get_rel_name(tview.relation);
  messages->head = MakeHead(source);
  messages->print = PrepareKeyPrinter(tview.relation, NamingColumns(source));
  messages->is_muted = QueueIsFull();
  for (StringInfoData& list : messages->lists) initStringInfo(&list);
  ResetLists(messages);
  return messages;
}

void AddToMessages(FeedMessages* messages, const FeedChange& change) {
  if (messages->named >= kNamedDocuments) {
    ++messages->unnamed;
    return;
  }
  const char* value = JsonOfKey(messages->print, change.current());
  if (value == nullptr) value = "null";
  const std::size_t length = strlen(value);
  if (length > kLongestValue) {
    ++messages->unnamed;
    return;
  }
  StringInfo const list = &messages->lists[static_cast<int>(change.operation)];
  const auto added = [&] {
    const char* const name = kListNames[static_cast<int>(change.operation)];
    return length + 2 + (list->len == 0 ? strlen(name) + sizeof(", \"\": []") : 0);
  };
  if (messages->size + added() >= kServerLimit) SendLists(messages);
  messages->size += added();
  if (list->len > 0) appendStringInfoString(list, ", ");
  appendStringInfoString(list, value);
  ++messages->named;
}

void CloseFeedMessages(FeedMessages* messages) {
  SendLists(messages);
  if (messages->unnamed > 0) SendCount(messages);
  for (StringInfoData& list : messages->lists) pfree(list.data);
  pfree(messages);
}

}  // namespace tviews::worker
