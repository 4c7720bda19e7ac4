/* Tables for people: columns as wide as their widest cell, two blanks between them. */
#ifndef SALLYPORT_DOMAIN_TABLE_H
#define SALLYPORT_DOMAIN_TABLE_H

#include <stddef.h>

#include "sallyport/base/buf.h"

#define TABLE_COLUMNS_MAX 10

struct table {
    size_t columns;
    size_t widths[TABLE_COLUMNS_MAX]; /* in characters */
    struct buf cells;                 /* terminated strings, row after row */
    int rc;                           /* the first failure: table_print reports it */
};

/* `columns` is 1..TABLE_COLUMNS_MAX; the first row is made of the headings. table_fini frees. */
void table_init(struct table *table, size_t columns, const char *const *headings);
void table_fini(struct table *table);
/* One cell a column; UTF-8 without control characters; copied. "" and NULL show as `-`. */
void table_row(struct table *table, const char *const *cells);
/* Appends all rows, each after `indent` blanks. 0 or SP_ENOMEM. */
int table_print(const struct table *table, size_t indent, struct buf *out);

#endif
