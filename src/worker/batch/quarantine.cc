#include "worker/batch/quarantine.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "shared/pg/boundary/error.h"
#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/row_reader.h"
#include "shared/pg/boundary/spi.h"
#include "shared/pg/boundary/transaction_scope.h"
#include "shared/pg/common/dead_letter.h"
#include "shared/pg/tables/catalog.h"
#include "shared/status_macros.h"
#include "worker/refresh/key_values.h"

namespace tviews::worker {
namespace {

constexpr std::size_t kLongestText = 1000;
constexpr std::size_t kBytesShown = 100;
constexpr char kNullKey[] = "(null)";
constexpr char kHashOfNullKey[] = "";

// A key in quarantine.
struct Letter {
  std::string hash;
  std::optional<std::string> image;
};

absl::StatusOr<pg::DeadKey> DeadKeyOf(const TviewDefinition& tview, const std::string& image) {
  pg::DeadKey key;
  TVIEWS_ASSIGN_OR_RETURN(key.text, NameOfKey(tview, image));
  TVIEWS_ASSIGN_OR_RETURN(key.hash, pg::HashOfImage(image));
  if (image.size() <= pg::kLongestKeptImage) key.image = image;
  return key;
}

void Log(const TviewDefinition& tview, const std::string& what, const absl::Status& error) {
  pg::LogFailure(
      error, absl::StrCat(what, "TVIEW ", tview.qualified_name, " goes into quarantine").c_str());
}

absl::Status SetState(const TviewDefinition& tview, const char* state) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string meta, pg::QualifiedTable(pg::CatalogTable::kMeta));
  TVIEWS_RETURN_IF_ERROR(
      pg::ExecuteSql(absl::StrCat("UPDATE ", meta, " SET state = $2 WHERE tview = $1::oid"),
                     {absl::StrCat(tview.relation), state})
          .status());
  return pg::InvalidateCatalog();
}

// The keys of `tview` in quarantine.
absl::StatusOr<std::vector<Letter>> ReadLetters(const TviewDefinition& tview,
                                                pg::SqlSnapshot snapshot) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult found,
                          pg::ExecuteSql(absl::StrCat("SELECT key_hash, key_image FROM ", table,
                                                      " WHERE tview = $1::oid AND key_hash <> ''"),
                                         {absl::StrCat(tview.relation)}, snapshot));
  std::vector<Letter> letters;
  for (const pg::SqlRow& row : found.rows) {
    pg::RowReader column(row);
    Letter& letter = letters.emplace_back();
    letter.hash = column.Text();
    letter.image = column.OptionalText();
    TVIEWS_RETURN_IF_ERROR(column.End());
  }
  return letters;
}

// Those that `condition` names, whose parameters from $2 on are hashes.
absl::Status DeleteLetters(const TviewDefinition& tview, const std::string& condition,
                           const std::vector<std::string>& hashes) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  pg::SqlParameters parameters = {absl::StrCat(tview.relation)};
  for (const std::string& hash : hashes) parameters.push_back(pg::SqlBytes{hash});
  return pg::ExecuteSql(
             absl::StrCat("DELETE FROM ", table, " WHERE tview = $1::oid AND ", condition),
             parameters)
      .status();
}

absl::Status DeleteLetter(const TviewDefinition& tview, const std::string& hash) {
  return DeleteLetters(tview, "key_hash = $2", {hash});
}

// The hashes under which letters without an image name these keys: of the image, or, as 0.1.0 left
// them, of the key's text.
absl::StatusOr<absl::flat_hash_set<std::string>> HashesOf(
    const TviewDefinition& tview, const absl::flat_hash_set<std::string>& images) {
  absl::flat_hash_set<std::string> hashes;
  for (const std::string& image : images) {
    TVIEWS_ASSIGN_OR_RETURN(std::string hash, pg::HashOfImage(image));
    TVIEWS_ASSIGN_OR_RETURN(const std::string text, NameOfKey(tview, image));
    TVIEWS_ASSIGN_OR_RETURN(std::string hash_of_text, pg::HashOfImage(text));
    hashes.insert(std::move(hash));
    hashes.insert(std::move(hash_of_text));
  }
  return hashes;
}

// The server refuses a value of a gigabyte with an internal error.
bool IsTooLarge(const absl::Status& error) {
  return error.message().find("invalid memory alloc request size") != absl::string_view::npos;
}

}  // namespace

// The output function of a type can fail like any other: then the bytes.
absl::StatusOr<std::string> NameOfKey(const TviewDefinition& tview, const std::string& image) {
  std::string text;
  const absl::Status status = pg::RunSubtransaction([&]() -> absl::Status {
    TVIEWS_ASSIGN_OR_RETURN(text, KeyText(tview, image));
    return absl::OkStatus();
  });
  if (!status.ok()) {
    text = absl::StrCat("\\x", absl::BytesToHexString(image.substr(0, kBytesShown)));
    if (image.size() > kBytesShown) text += "...";
  }
  return pg::Shorten(text, kLongestText);
}

bool MayConcernDefinition(const absl::Status& error) {
  if (pg::HasSqlState(error, "XX")) return !IsTooLarge(error);
  return pg::HasSqlState(error, "42") || pg::HasSqlState(error, "0A") ||
         pg::HasSqlState(error, "55");
}

absl::Status QuarantineKey(const TviewDefinition& tview, const std::string& key_image,
                           const absl::Status& error) {
  TVIEWS_ASSIGN_OR_RETURN(const pg::DeadKey key, DeadKeyOf(tview, key_image));
  Log(tview, absl::StrCat("key ", key.text, " of "), error);
  return pg::WriteDeadLetter(tview.relation, &key, error).status();
}

absl::Status QuarantineNullKey(const TviewDefinition& tview, const absl::Status& error) {
  const pg::DeadKey key{.text = kNullKey, .hash = kHashOfNullKey, .image = std::nullopt};
  Log(tview, absl::StrCat("key ", key.text, " of "), error);
  return pg::WriteDeadLetter(tview.relation, &key, error).status();
}

absl::Status QuarantineWhole(const TviewDefinition& tview, const absl::Status& error) {
  Log(tview, "", error);
  TVIEWS_RETURN_IF_ERROR(pg::WriteDeadLetter(tview.relation, nullptr, error).status());
  return SetState(tview, "quarantined");
}

absl::Status HealKeys(const TviewDefinition& tview, const AffectedKeys& refreshed) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Letter> letters,
                          ReadLetters(tview, pg::SqlSnapshot::kNew));
  if (letters.empty()) return absl::OkStatus();
  TVIEWS_ASSIGN_OR_RETURN(const KeySet keys,
                          KeySet::Make(tview, {refreshed.keys.begin(), refreshed.keys.end()}));
  absl::flat_hash_set<std::string> hashes;
  if (std::any_of(letters.begin(), letters.end(),
                  [](const Letter& letter) { return !letter.image.has_value(); })) {
    TVIEWS_ASSIGN_OR_RETURN(hashes, HashesOf(tview, refreshed.keys));
  }
  for (const Letter& letter : letters) {
    bool is_healthy = hashes.contains(letter.hash);
    if (letter.image.has_value()) {
      TVIEWS_ASSIGN_OR_RETURN(is_healthy, keys.Contains(*letter.image));
    }
    if (is_healthy) TVIEWS_RETURN_IF_ERROR(DeleteLetter(tview, letter.hash));
  }
  return absl::OkStatus();
}

absl::Status HealNullKey(const TviewDefinition& tview) {
  return DeleteLetter(tview, kHashOfNullKey);
}

absl::Status HealAll(const TviewDefinition& tview) { return HealAllBut(tview, {}); }

absl::Status HealAllBut(const TviewDefinition& tview, const SickKeys& failing) {
  std::vector<std::string> sick;
  if (failing.has_null_key) sick.emplace_back(kHashOfNullKey);
  for (const std::string& image : failing.images) {
    TVIEWS_ASSIGN_OR_RETURN(sick.emplace_back(), pg::HashOfImage(image));
  }
  std::string healed = "true";
  for (std::size_t i = 0; i < sick.size(); ++i) {
    absl::StrAppend(&healed, " AND key_hash IS DISTINCT FROM $", i + 2);
  }
  TVIEWS_RETURN_IF_ERROR(DeleteLetters(tview, healed, sick));
  return tview.is_quarantined ? SetState(tview, "active") : absl::OkStatus();
}

absl::Status HealWhole(const TviewDefinition& tview) {
  TVIEWS_RETURN_IF_ERROR(DeleteLetters(tview, "key_hash IS NULL", {}));
  return tview.is_quarantined ? SetState(tview, "active") : absl::OkStatus();
}

absl::Status AddQuarantined(const TviewDefinition& tview, AffectedKeys* keys) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Letter> letters,
                          ReadLetters(tview, pg::SqlSnapshot::kNew));
  for (const Letter& letter : letters) {
    if (letter.image.has_value()) keys->keys.insert(*letter.image);
  }
  return absl::OkStatus();
}

absl::Status RemoveQuarantined(const TviewDefinition& tview, AffectedKeys* keys) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<Letter> letters,
                          ReadLetters(tview, pg::SqlSnapshot::kActive));
  if (letters.empty()) return absl::OkStatus();
  std::vector<std::string> images;
  absl::flat_hash_set<std::string> without_image;
  for (const Letter& letter : letters) {
    if (letter.image.has_value()) {
      images.push_back(*letter.image);
    } else {
      without_image.insert(letter.hash);
    }
  }
  TVIEWS_ASSIGN_OR_RETURN(const KeySet sick, KeySet::Make(tview, std::move(images)));
  absl::flat_hash_set<std::string> healthy;
  for (const std::string& image : keys->keys) {
    TVIEWS_ASSIGN_OR_RETURN(bool is_sick, sick.Contains(image));
    if (!is_sick && !without_image.empty()) {
      TVIEWS_ASSIGN_OR_RETURN(const absl::flat_hash_set<std::string> hashes,
                              HashesOf(tview, {image}));
      is_sick = std::any_of(hashes.begin(), hashes.end(),
                            [&](const std::string& hash) { return without_image.contains(hash); });
    }
    if (!is_sick) healthy.insert(image);
  }
  keys->keys = std::move(healthy);
  return absl::OkStatus();
}

absl::Status NoteQuarantine(Standings* standings) {
  TVIEWS_ASSIGN_OR_RETURN(const std::string table,
                          pg::QualifiedTable(pg::CatalogTable::kDeadLetter));
  TVIEWS_ASSIGN_OR_RETURN(const pg::SqlResult result,
                          pg::ExecuteSql(absl::StrCat("SELECT 1 FROM ", table, " LIMIT 1"), {},
                                         pg::SqlSnapshot::kActive));
  standings->NoteQuarantine(!result.rows.empty());
  return absl::OkStatus();
}

}  // namespace tviews::worker
