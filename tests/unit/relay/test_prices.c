/* prices.ini: which GPUs it has a price for, in which currency, and what is wrong in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prices.h"

static struct prices *parse(const char *text) {
    struct prices *prices = NULL;
    struct why why = {""};
    if (prices_parse(text, strlen(text), "prices.ini", &prices, &why))
        fail_msg("%s", why.text);
    return prices;
}

static void is(const struct prices *prices, const char *gpu, const char *currency, double wanted) {
    struct price_found found = {.per_hour = NAN};
    int rc = prices_find(prices, gpu, currency, &found);
    if (isnan(wanted) ? rc != SP_ENOENT : (rc != 0 || fabs(found.per_hour - wanted) > 1e-6))
        fail_msg("%s in %s: %d, %g", gpu, currency, rc, found.per_hour);
}

static void patterns_and_currencies(void **state) {
    struct prices *prices =
        parse("[gpu *RTX 4090]\nper_hour = 0.4\ncurrency = USD\ndate = 2026-09-20\nsource = somewhere\n"
              "[gpu *A100*80GB*]\nper_hour = 2\n"
              "[gpu *RTX*]\nper_hour = 0.1\ncurrency = EUR\n"
              "[gpu MI300X]\nper_hour = 3\ncurrency = XAU\n"
              "[currency EUR]\nusd = 1.25\n[currency GBP]\nusd = 1.5\n");
    struct price_found found;
    (void)state;
    is(prices, "NVIDIA GeForce RTX 4090", "USD", 0.4);
    is(prices, "nvidia geforce rtx 4090", "USD", 0.4);
    is(prices, "NVIDIA GeForce RTX 4090 Laptop GPU", "EUR", 0.1); /* not the same; the one that fits comes later */
    is(prices, "NVIDIA GeForce RTX 4090", "EUR", 0.32);
    is(prices, "NVIDIA GeForce RTX 3060", "GBP", 0.1 * 1.25 / 1.5);
    is(prices, "NVIDIA GeForce RTX 3060", "USD", 0.125);
    is(prices, "NVIDIA A100-SXM4-80GB", "USD", 2);
    is(prices, "NVIDIA A100 80GB PCIe", "USD", 2);
    is(prices, "NVIDIA A100-SXM4-40GB", "USD", NAN);
    is(prices, "NVIDIA GeForce RTX 4090", "CHF", NAN); /* nobody says what that is worth */
    is(prices, "MI300X", "USD", NAN);
    is(prices, "MI300X", "XAU", 3);
    is(prices, "", "USD", NAN);
    assert_int_equal(prices_find(prices, "RTX 4090", "USD", &found), 0);
    assert_string_equal(found.source, "somewhere");
    assert_string_equal(found.date, "2026-09-20");
    prices_free(prices);
}

static void what_is_wrong_is_said_with_its_line(void **state) {
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"[gpu A]\nper_hour = much\n", "prices.ini:2: [gpu A] 'much' is no price"},
        {"[gpu A]\nper_hour = -1\n", "prices.ini:2: "},
        {"[gpu A]\nper_hour = 0\n", "prices.ini:2: "},
        {"[gpu A]\nper_hour = 1e99\n", "prices.ini:2: "},
        {"[gpu A]\nper_hour = nan\n", "prices.ini:2: "},
        {"[gpu A]\nper_hour = 1\ndate = yesterday\n", "prices.ini:3: [gpu A] 'yesterday' is no date"},
        {"[gpu A]\nper_hour = 1\ncurrency = dollars\n", "prices.ini:3: [gpu A] 'dollars' is no currency"},
        {"[gpu A]\nper_hour = 1\nprice = 2\n", "Known keys: per_hour, currency, date, source"},
        {"[gpu A]\ndate = 2026-01-01\n", "[gpu A] wants per_hour"},
        {"[currency EURO]\nusd = 1\n", "prices.ini:2: [currency EURO] 'EURO' is no currency"},
        {"[currency EUR]\nper_hour = 1\n", "Known keys: usd, date, source"},
        {"[machine A]\nx = 1\n", "unknown section [machine A]"},
        {"x = 1\n", "prices.ini:1: unknown key 'x'"},
        {"[gpu A]\nper_hour\n", "prices.ini:2: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct prices *prices = NULL;
        struct why why = {""};
        assert_int_equal(prices_parse(rows[i].text, strlen(rows[i].text), "prices.ini", &prices, &why), SP_EFORMAT);
        assert_null(prices);
        if (!strstr(why.text, rows[i].said))
            fail_msg("'%s' does not say '%s'", why.text, rows[i].said);
    }
}

/* What is compiled in is good, and knows common ones by the names that their drivers give them. */
static void the_example(void **state) {
    static const char *const gpus[] = {
        "NVIDIA GeForce RTX 4090",
        "NVIDIA GeForce RTX 3090",
        "NVIDIA GeForce RTX 5090",
        "NVIDIA GeForce RTX 3060",
        "NVIDIA A100-SXM4-80GB",
        "NVIDIA H100 80GB HBM3",
        "NVIDIA H100 PCIe",
        "NVIDIA RTX A6000",
        "Tesla T4",
        "Tesla V100-SXM2-16GB",
        "NVIDIA RTX 4000 Ada Generation",
        "NVIDIA A100 80GB PCIe",
    };
    struct prices *prices = NULL;
    struct why why = {""};
    (void)state;
    assert_int_equal(setenv("XDG_CONFIG_HOME", "/nowhere", 1), 0);
    if (prices_read(NULL, &prices, &why))
        fail_msg("%s", why.text);
    for (size_t i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++) {
        struct price_found found;
        if (prices_find(prices, gpus[i], "EUR", &found) || !(found.per_hour > 0.02 && found.per_hour < 20))
            fail_msg("no price of %s", gpus[i]);
        assert_true(found.source[0] && found.date[0]);
    }
    is(prices, "NVIDIA GeForce RTX 4090 Laptop GPU", "USD", NAN);
    prices_free(prices);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_and_currencies),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(the_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
