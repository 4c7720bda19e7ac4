#include "http_answer.h"

#include <stdint.h>
#include <string.h>

#include "sallyport/base/str.h"

unsigned http_answer_status(const char *answer, size_t len, const char **body) {
    if (len < 13 || memcmp(answer, "HTTP/1.", 7) != 0 || answer[8] != ' ')
        return 0;
    const char *end = memmem(answer, len, "\r\n\r\n", 4);
    char digits[4] = {answer[9], answer[10], answer[11], '\0'};
    uint64_t status;
    if (end == NULL || str_u64(digits, 100, 599, &status) != 0)
        return 0;
    *body = end + 4;
    return (unsigned)status;
}
