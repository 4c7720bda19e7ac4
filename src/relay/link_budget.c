#include "link_budget.h"

enum { WHOLE = 1000 };

void link_budget_init(struct link_budget *budget, uint64_t now) {
    *budget = (struct link_budget){.left = (int64_t)LINK_BUDGET_LINES * WHOLE, .filled = now};
}

bool link_budget_allows(struct link_budget *budget, uint64_t now) {
    const int64_t full = (int64_t)LINK_BUDGET_LINES * WHOLE;
    uint64_t passed = now - budget->filled; /* a thousandth of a line a ms is one line a second */
    budget->filled = now;
    if (passed >= (uint64_t)(full - budget->left) / LINK_BUDGET_LINES_S)
        budget->left = full;
    else
        budget->left += (int64_t)passed * LINK_BUDGET_LINES_S;
    return budget->left > 0;
}

void link_budget_spend(struct link_budget *budget, size_t len, bool logged) {
    int64_t lines = 1 + (int64_t)(len / LINK_BUDGET_PIECE) + (logged ? LINK_BUDGET_LOGGED : 0);
    budget->left -= lines * WHOLE;
}

bool link_budget_hold(struct link_budget *budget, uint64_t now) {
    bool tell = budget->told_at == 0 || now - budget->told_at >= LINK_BUDGET_TELL_MS;
    budget->held_at = now;
    if (tell)
        budget->told_at = now;
    return tell;
}
