#include "shared/pg/common/dead_letter.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/tables/catalog.h"
#include "shared/pg/tables/columns.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/genam.h>
#include <access/htup_details.h>
#include <access/relation.h>
#include <access/table.h>
#include <common/cryptohash.h>
#include <common/sha2.h>
#include <mb/pg_wchar.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::pg {
namespace {

// A message can be as long as the value that it complains about.
constexpr std::size_t kLongestError = 8000;
constexpr char kCut[] = "...";

}  // namespace

absl::StatusOr<std::string> HashOfImage(std::string_view image) {
  std::uint8_t digest[PG_SHA256_DIGEST_LENGTH];
  TVIEWS_RETURN_IF_ERROR(Call([&] {
    pg_cryptohash_ctx* const context = pg_cryptohash_create(PG_SHA256);
    if (context == nullptr || pg_cryptohash_init(context) < 0 ||
        pg_cryptohash_update(context, reinterpret_cast<const uint8*>(image.data()), image.size()) <
            0 ||
        pg_cryptohash_final(context, digest, sizeof(digest)) < 0) {
      elog(ERROR, "SHA-256 failed");
    }
    pg_cryptohash_free(context);
  }));
  return std::string(reinterpret_cast<const char*>(digest), sizeof(digest));
}

absl::StatusOr<std::string> Shorten(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const std::size_t room = limit - (sizeof(kCut) - 1);
  TVIEWS_ASSIGN_OR_RETURN(const int length, CallFor([&] {
                            return pg_mbcliplen(text.c_str(), static_cast<int>(limit),
                                                static_cast<int>(room));
                          }));
  return text.substr(0, static_cast<std::size_t>(length)) + kCut;
}

absl::StatusOr<std::uint64_t> WriteDeadLetter(RelationId tview, const DeadKey* key,
                                              const absl::Status& error) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table, QualifiedTable(CatalogTable::kDeadLetter));
  const std::string detail = ErrorDetail(error);
  const std::string message(error.message());
  TVIEWS_ASSIGN_OR_RETURN(
      const std::string text,
      Shorten(detail.empty() ? message : message + "\n" + detail, kLongestError));
  const SqlValue none;
  // The latest snapshot: another process may have written the same letter.
  TVIEWS_ASSIGN_OR_RETURN(
      const SqlResult written,
      ExecuteSqlLatest(
          absl::StrCat("INSERT INTO ", table,
                       " AS d (tview, key, sqlstate, error, first_seen, last_seen, key_hash,"
                       " key_image) VALUES ($1::oid, $2, $3, $4, clock_timestamp(),"
                       " clock_timestamp(), $5, $6)"
                       " ON CONFLICT (tview, (coalesce(key_hash, 'whole'::bytea))) DO UPDATE SET"
                       " key = excluded.key, sqlstate = excluded.sqlstate, error = excluded.error,"
                       " attempts = d.attempts + 1, last_seen = excluded.last_seen,"
                       " key_image = excluded.key_image RETURNING attempts"),
          {absl::StrCat(tview), key == nullptr ? none : SqlValue(key->text), SqlState(error), text,
           SqlBytes{key == nullptr ? none : SqlValue(key->hash)},
           SqlBytes{key == nullptr ? none : key->image}}));
  std::uint64_t attempts = 1;
  if (!written.rows.empty() && !absl::SimpleAtoi(*written.rows[0][0], &attempts)) attempts = 1;
  return attempts;
}

absl::StatusOr<bool> HasDeadLetter(RelationId tview) {
  TVIEWS_ASSIGN_OR_RETURN(const RelationId table, CatalogTableId(CatalogTable::kDeadLetter));
  return CallFor([table, tview] {
    Relation letters = try_relation_open(table, AccessShareLock);
    if (letters == nullptr) return false;  // the extension has just been dropped
    ScanKeyData key;
    // First in the index too.
    ScanKeyInit(&key, DeadLetterColumn::kTview, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(tview));
    SysScanDesc scan = systable_beginscan(
        letters, get_relname_relid("pg_tview_dead_letter_key", RelationGetNamespace(letters)), true,
        nullptr, 1, &key);
    const bool found = HeapTupleIsValid(systable_getnext(scan));
    systable_endscan(scan);
    table_close(letters, AccessShareLock);
    return found;
  });
}

absl::Status WithHintToDeadLetters(const absl::Status& error) {
  if (!HasSqlState(error, "22") || !ErrorHint(error).empty()) return error;
  const std::string sqlstate = SqlState(error);
  return MakeError(error.code(), {.message = std::string(error.message()),
                                  .detail = ErrorDetail(error),
                                  .hint = "The query of the TVIEW fails for rows of its sources. "
                                          "Correct them; pg_tview_dead_letter lists the keys.",
                                  .sqlstate = sqlstate.c_str()});
}

}  // namespace tviews::pg
