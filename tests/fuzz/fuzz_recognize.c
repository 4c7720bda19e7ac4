/* What an application on a port answers: any bytes are refused, or give a name and a detail that may be shown. The first
 * byte says which question was asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recognize_table.h"
#include "sallyport/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct app_facts *facts) {
    char detail[128];
    if (facts->name[0] != '\0' && service_name_check(facts->name, NULL) != 0)
        abort();
    app_detail(facts, "docker-proxy", detail, sizeof detail);
    if (!str_is_clean(detail, strlen(detail)) || strlen(facts->models) >= sizeof facts->models)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct app_facts facts = {.name = ""};
    struct app_answer answer;
    uint32_t hinted, others;
    bool locked;
    if (size < 1 || !app_answer_read((const char *)data + 1, size - 1, &answer))
        return 0;
    app_candidates(&answer, data[0], &hinted, &others);
    if ((hinted & others) != 0 || (hinted | others) >> APPLICATIONS != 0)
        abort();
    if (app_of_page(&answer, &facts) < APPLICATIONS)
        check(&facts);
    if (app_table[data[0] % APPLICATIONS].path != NULL && app_is(data[0] % APPLICATIONS, &answer, &facts, &locked))
        check(&facts);
    if (app_read_version(&answer, &facts) || app_read_models(&answer, &facts))
        check(&facts);
    return 0;
}
