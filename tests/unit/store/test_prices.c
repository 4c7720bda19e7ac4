/* The prices of machines. */
#include "place.h"

#include <math.h>

#include "sallyport/store/machines.h"
#include "sallyport/store/prices.h"

static void prices_are_kept(void **state) {
    struct place *place = *state;
    struct pay_prices prices = {
        .machine = 3200, .power_per_kwh = NAN, .cloud_per_gpu_hour = 0, .since = 5, .currency = "EUR"};
    struct pay_prices got;
    int64_t id;
    struct why why = {""};
    assert_int_equal(store_machine_add(place->store, "box1", NULL, 1, &id, &why), 0);
    assert_int_equal(store_price_get(place->store, id, &got), 0);
    assert_true(isnan(got.machine) && isnan(got.power_per_kwh) && isnan(got.cloud_per_gpu_hour) && got.since == 0);
    assert_string_equal(got.currency, "");
    assert_int_equal(store_price_put(place->store, id, &prices), 0);
    prices.machine = 3300.5;
    assert_int_equal(store_price_put(place->store, id, &prices), 0);
    place_close(place);
    place_open(place);
    assert_int_equal(store_price_get(place->store, id, &got), 0);
    assert_true(got.machine == 3300.5 && isnan(got.power_per_kwh) && got.cloud_per_gpu_hour == 0 && got.since == 5);
    assert_string_equal(got.currency, "EUR");
    assert_int_equal(store_machine_remove(place->store, id), 0);
    assert_int_equal(store_price_get(place->store, id, &got), 0);
    assert_true(isnan(got.machine));
    assert_int_equal(store_price_put(place->store, id, &prices), SP_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {place_test(prices_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
