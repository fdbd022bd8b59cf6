#include "backend/ddl/reshaped_view.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "shared/pg/boundary/guard.h"
#include "shared/pg/boundary/user_scope.h"
#include "shared/pg/server/column_dependencies.h"
#include "shared/status_macros.h"

#include "shared/pg/boundary/postgres_begin.h"
#include <access/htup_details.h>
#include <access/relation.h>
#include <access/table.h>
#include <access/xact.h>
#include <catalog/indexing.h>
#include <catalog/pg_attribute.h>
#include <catalog/pg_class.h>
#include <catalog/pg_type.h>
#include <commands/comment.h>
#include <commands/tablecmds.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <utils/builtins.h>
#include <utils/inval.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>
#include <utils/syscache.h>
#include "shared/pg/boundary/postgres_end.h"

namespace tviews::backend {
namespace {

// --- Inside Call.

struct PlainShape {
  const char* name;
  Oid type;
  std::int32_t modifier;
  Oid collation;
};

void ReshapeColumn(Relation attributes, Oid view, AttrNumber number, const PlainShape& shape) {
  HeapTuple const row = SearchSysCacheCopyAttNum(view, number);
  if (!HeapTupleIsValid(row)) elog(ERROR, "column %d of view %u does not exist", number, view);
  auto* const column = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
  HeapTuple const type_row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(shape.type));
  if (!HeapTupleIsValid(type_row)) elog(ERROR, "cache lookup failed for type %u", shape.type);
  const auto* const form = reinterpret_cast<Form_pg_type>(GETSTRUCT(type_row));
  namestrcpy(&column->attname, shape.name);
  column->atttypid = shape.type;
  column->atttypmod = shape.modifier;
  column->attcollation = shape.collation;
  column->attlen = form->typlen;
  column->attbyval = form->typbyval;
  column->attalign = form->typalign;
  column->attstorage = form->typstorage;
  column->attndims = 0;
  ReleaseSysCache(type_row);
  CatalogTupleUpdate(attributes, &row->t_self, row);
  pg::ReplaceTypeDependencies(view, number, shape.type, shape.collation);
}

void DeleteColumn(Relation attributes, Oid view, AttrNumber number) {
  HeapTuple const row = SearchSysCacheCopyAttNum(view, number);
  if (!HeapTupleIsValid(row)) elog(ERROR, "column %d of view %u does not exist", number, view);
  CatalogTupleDelete(attributes, &row->t_self);
  pg::ReplaceTypeDependencies(view, number, InvalidOid, InvalidOid);
}

void SetColumnCount(Oid view, int count) {
  Relation const classes = table_open(RelationRelationId, RowExclusiveLock);
  HeapTuple const row = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(view));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", view);
  reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relnatts = static_cast<std::int16_t>(count);
  CatalogTupleUpdate(classes, &row->t_self, row);
  table_close(classes, RowExclusiveLock);
}

// Two columns may exchange their names.
void MakeNameFree(Relation attributes, Oid view, AttrNumber number) {
  HeapTuple const row = SearchSysCacheCopyAttNum(view, number);
  if (!HeapTupleIsValid(row)) elog(ERROR, "column %d of view %u does not exist", number, view);
  auto* const column = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
  char name[NAMEDATALEN];
  pg_snprintf(name, sizeof(name), "........pg_tviews.%d........", number);
  namestrcpy(&column->attname, name);
  CatalogTupleUpdate(attributes, &row->t_self, row);
}

// Takes the comments on columns away, in the order of these.
char** TakeComments(Oid view, int count) {
  auto** const comments = static_cast<char**>(palloc0(sizeof(char*) * (count + 1)));
  for (int i = 0; i < count; ++i) {
    comments[i] = GetComment(view, RelationRelationId, i + 1);
    DeleteComments(view, RelationRelationId, i + 1);
  }
  return comments;
}

// Puts a comment on the column of that name, which the view may get with its query.
void PutComment(Oid view, const char* name, char* comment, const PlainShape* shapes, int wanted) {
  for (int i = 0; comment != nullptr && i < wanted; ++i) {
    if (strcmp(shapes[i].name, name) == 0) {
      CreateComments(view, RelationRelationId, i + 1, comment);
    }
  }
}

void Reshape(Oid view, int present, const PlainShape* shapes, int wanted) {
  Relation const relation = relation_open(view, AccessExclusiveLock);
  find_composite_type_dependencies(relation->rd_rel->reltype, relation, nullptr);
  relation_close(relation, NoLock);
  auto** const names = static_cast<char**>(palloc0(sizeof(char*) * (present + 1)));
  for (int i = 0; i < present; ++i) names[i] = get_attname(view, i + 1, false);
  char** const comments = TakeComments(view, present);
  Relation const attributes = table_open(AttributeRelationId, RowExclusiveLock);
  for (int i = 0; i < present; ++i) {
    MakeNameFree(attributes, view, static_cast<AttrNumber>(i + 1));
  }
  CommandCounterIncrement();
  for (int i = 0; i < present; ++i) {
    const auto number = static_cast<AttrNumber>(i + 1);
    if (i < wanted) {
      ReshapeColumn(attributes, view, number, shapes[i]);
    } else {
      DeleteColumn(attributes, view, number);
    }
  }
  table_close(attributes, RowExclusiveLock);
  if (wanted < present) SetColumnCount(view, wanted);
  for (int i = 0; i < present; ++i) PutComment(view, names[i], comments[i], shapes, wanted);
  CacheInvalidateRelcacheByRelid(view);
  CommandCounterIncrement();
}

// --- Returns Status.

struct PlainColumns {
  PlainShape shapes[MaxTupleAttributeNumber];
  AttrNumber numbers[MaxTupleAttributeNumber];
  int count;
};

std::vector<NumberedColumn> ColumnsOf(const PlainColumns& plain) {
  std::vector<NumberedColumn> columns;
  for (int i = 0; i < plain.count; ++i) {
    const PlainShape& shape = plain.shapes[i];
    columns.push_back({.number = plain.numbers[i],
                       .shape = {.name = shape.name,
                                 .type = shape.type,
                                 .modifier = shape.modifier,
                                 .collation = shape.collation}});
  }
  return columns;
}

}  // namespace

absl::StatusOr<std::vector<ColumnShape>> ShapeOfQuery(const Query* query) {
  TVIEWS_ASSIGN_OR_RETURN(
      const PlainColumns* const plain, pg::CallFor([query] {
        auto* const found = static_cast<PlainColumns*>(palloc0(sizeof(PlainColumns)));
        for (int i = 0; i < list_length(query->targetList); ++i) {
          const auto* const entry = static_cast<TargetEntry*>(list_nth(query->targetList, i));
          if (entry->resjunk) continue;
          const auto* const value = reinterpret_cast<Node*>(entry->expr);
          found->shapes[found->count++] = {entry->resname, exprType(value), exprTypmod(value),
                                           exprCollation(value)};
        }
        return found;
      }));
  std::vector<ColumnShape> shapes;
  for (NumberedColumn& column : ColumnsOf(*plain)) shapes.push_back(std::move(column.shape));
  return shapes;
}

absl::StatusOr<std::vector<NumberedColumn>> ShapeOfRelation(RelationId relation) {
  TVIEWS_ASSIGN_OR_RETURN(
      const PlainColumns* const plain, pg::CallFor([relation] {
        auto* const found = static_cast<PlainColumns*>(palloc0(sizeof(PlainColumns)));
        Relation const opened = relation_open(relation, AccessShareLock);
        const TupleDesc columns = RelationGetDescr(opened);
        for (int i = 0; i < columns->natts; ++i) {
          const Form_pg_attribute column = TupleDescAttr(columns, i);
          if (column->attisdropped) continue;
          found->numbers[found->count] = column->attnum;
          found->shapes[found->count++] = {pstrdup(NameStr(column->attname)), column->atttypid,
                                           column->atttypmod, column->attcollation};
        }
        relation_close(opened, AccessShareLock);
        return found;
      }));
  return ColumnsOf(*plain);
}

absl::Status ReshapeView(RelationId view, const std::vector<ColumnShape>& columns) {
  TVIEWS_ASSIGN_OR_RETURN(const std::vector<NumberedColumn> present, ShapeOfRelation(view));
  std::vector<PlainShape> shapes;
  for (const ColumnShape& column : columns) {
    shapes.push_back({column.name.c_str(), column.type, column.modifier, column.collation});
  }
  TVIEWS_ASSIGN_OR_RETURN(const pg::UserScope user, pg::UserScope::AsExtensionOwner());
  return pg::Call([&] {
    Reshape(view, static_cast<int>(present.size()), shapes.data(), static_cast<int>(shapes.size()));
  });
}

}  // namespace tviews::backend
