#include "backend/tview/comments.h"

#include <cstddef>
#include <string_view>

#include "absl/strings/ascii.h"
#include "shared/pg/boundary/guard.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/sysattr.h>
#include <access/table.h>
#include <access/xact.h>
#include <catalog/pg_class.h>
#include <commands/comment.h>
#include <mb/pg_wchar.h>
#include <nodes/bitmapset.h>
#include <utils/builtins.h>
#include <utils/rel.h>
#include <utils/relcache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

constexpr char kOfTable[] = "TVIEW: ";
constexpr char kOfView[] = "query of a TVIEW: ";
constexpr char kOfKey[] = "key of a TVIEW: background workers keep its rows equal to its query";
constexpr std::size_t kLongest = 200;  // bytes of a definition

std::string InOneLine(std::string_view definition) {
  std::string line;
  for (const char c : definition) {
    if (!absl::ascii_isspace(static_cast<unsigned char>(c))) {
      line.push_back(c);
    } else if (!line.empty() && line.back() != ' ') {
      line.push_back(' ');
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

// PostgreSQL's part: between characters, in the encoding of the database.
const char* Clipped(const char* before, const char* line, std::size_t length) {
  if (length <= kLongest) return psprintf("%s%s", before, line);
  const int clipped =
      pg_mbcliplen(line, static_cast<int>(length), static_cast<int>(kLongest - strlen("...")));
  return psprintf("%s%.*s...", before, clipped, line);
}

void PutComment(Oid relation, int column, const char* ours, const char* text, bool is_new) {
  const char* const present = GetComment(relation, RelationRelationId, column);
  const bool is_ours = present != nullptr && strncmp(present, ours, strlen(ours)) == 0;
  if (is_new ? present != nullptr : !is_ours) return;
  if (present != nullptr && strcmp(present, text) == 0) return;
  CreateComments(relation, RelationRelationId, column, text);
  CommandCounterIncrement();
}

void PutKeyComments(Oid table) {
  Relation const relation = table_open(table, NoLock);
  Bitmapset* const keys = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
  table_close(relation, NoLock);
  int member = -1;
  while ((member = bms_next_member(keys, member)) >= 0) {
    PutComment(table, member + FirstLowInvalidHeapAttributeNumber, kOfKey, kOfKey, true);
  }
}

// Ours, of columns that are none of the key any more.
void TakeKeyComments(Oid table) {
  Relation const relation = table_open(table, NoLock);
  const int columns = RelationGetDescr(relation)->natts;
  Bitmapset* const keys = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
  table_close(relation, NoLock);
  for (int column = 1; column <= columns; ++column) {
    if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber, keys)) continue;
    const char* const present = GetComment(table, RelationRelationId, column);
    if (present != nullptr && strcmp(present, kOfKey) == 0) {
      DeleteComments(table, RelationRelationId, column);
      CommandCounterIncrement();
    }
  }
}

absl::Status Put(RelationId tview, RelationId view, const std::string& definition, bool is_new) {
  const std::string line = InOneLine(definition);
  return pg::Call([&] {
    PutComment(tview, 0, kOfTable, Clipped(kOfTable, line.c_str(), line.size()), is_new);
    PutComment(view, 0, kOfView, Clipped(kOfView, line.c_str(), line.size()), is_new);
    if (is_new) PutKeyComments(tview);
  });
}

}  // namespace

absl::Status WriteComments(RelationId tview, RelationId view, const std::string& definition) {
  return Put(tview, view, definition, true);
}

absl::Status RenewComments(RelationId tview, RelationId view, const std::string& definition) {
  return Put(tview, view, definition, false);
}

absl::Status MoveKeyComments(RelationId tview) {
  return pg::Call([tview] {
    TakeKeyComments(tview);
    PutKeyComments(tview);
  });
}

}  // namespace tviews::backend
