/* Tables for people. */
#include "sallyport/domain/table.h"

#include <string.h>

/* Characters, not bytes: whatever does not continue one. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void table_init(struct table *table, size_t columns, const char *const *headings) {
    *table = (struct table){.columns = columns};
    buf_init(&table->cells);
    table_row(table, headings);
}

void table_fini(struct table *table) {
    buf_fini(&table->cells);
}

void table_row(struct table *table, const char *const *cells) {
    for (size_t i = 0; i < table->columns && !table->rc; i++) {
        const char *cell = cells[i] && cells[i][0] ? cells[i] : "-";
        size_t width = width_of(cell);
        if (width > table->widths[i])
            table->widths[i] = width;
        table->rc = buf_append(&table->cells, cell, strlen(cell) + 1);
    }
}

int table_print(const struct table *table, size_t indent, struct buf *out) {
    const char *cell = (const char *)buf_head(&table->cells);
    const char *end = cell + buf_len(&table->cells);
    int rc = table->rc;
    while (!rc && cell < end) {
        size_t blanks = indent;
        for (size_t i = 0; i < table->columns && !rc; i++) {
            rc = buf_printf(out, "%*s%s", (int)blanks, "", cell);
            blanks = table->widths[i] - width_of(cell) + 2;
            cell += strlen(cell) + 1;
        }
        if (!rc)
            rc = buf_append(out, "\n", 1);
    }
    return rc;
}
