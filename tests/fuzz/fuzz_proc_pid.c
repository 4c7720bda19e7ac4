/* What the kernel says of a process, and the list of accounts: any bytes are refused or give what makes sense. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "cgroup.h"
#include "process_table.h"
#include "sallyport/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    char id[CONTAINER_ID_SIZE], account[ACCOUNT_NAME_SIZE];
    struct process_stat stat;
    if (cgroup_container(text, size, id) && strspn(id, "0123456789abcdef") != CONTAINER_ID_SIZE - 1)
        abort();
    account_parse(text, size, 1000, account);
    if (account[0] == '\0' || !str_is_clean(account, strlen(account)))
        abort();
    if (process_stat_parse(text, size, &stat) && (stat.parent < 0 || strlen(stat.comm) >= sizeof stat.comm))
        abort();
    return 0;
}
