/* Intrusive doubly linked list: the links live inside the items. */
#ifndef SALLYPORT_BASE_LIST_H
#define SALLYPORT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* As a head: the ring's anchor. As a member of an item: its place in one list. A detached item points at itself. */
struct list {
    struct list *prev, *next;
};

#define list_item(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* `node` may be removed (and its item freed) inside the body; `tmp` is another struct list * for the walk. */
#define list_foreach(node, tmp, head) \
    for ((node) = (head)->next, (tmp) = (node)->next; (node) != (head); (node) = (tmp), (tmp) = (node)->next)

static inline void list_init(struct list *list) {
    list->prev = list->next = list;
}
static inline bool list_is_empty(const struct list *head) {
    return head->next == head;
}
static inline void list_append(struct list *head, struct list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
/* Takes the node out of whatever list it is in; harmless for a detached one. */
static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
