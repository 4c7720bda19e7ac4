// The page of one machine, and what the cards say of GPUs, in front of a relay of made-up answers (mock.mjs).
// Wants WEB (the folder of the page's files) and, when it lies elsewhere than in Debian, CHROMIUM.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Mock } from './mock.mjs';
import { MACHINE, card, check, openBrowser, prepare, world } from './stand.mjs';

prepare(() => new Mock().start());

const block = (index) => world.page.locator('#gpus > li').filter({ has: world.page.getByRole('heading', { name: `GPU ${index}` }) });
const chart = (title) => world.page.locator('.chart').filter({ has: world.page.getByRole('heading', { name: title, exact: true }) });

async function open(path = '/machines/box1') {
  await world.page.goto(world.stand.origin + path);
  await world.page.locator(path === '/' ? MACHINE : '#content').first().waitFor();
}

// Waits until all of that is said, and gives the whole text.
async function has(locator, parts) {
  const deadline = Date.now() + 20000;
  for (;;) {
    const text = (await locator.innerText()).replace(/\s+/g, ' ');
    const missing = parts.filter((part) => !text.includes(part));
    if (!missing.length) return text;
    assert.ok(Date.now() < deadline, `"${missing[0]}" in ${text}`);
    await world.page.waitForTimeout(50);
  }
}

// Cards and rows

test('a card says of each GPU how busy, how hot and whose it is', async () => {
  const { page, stand } = world;
  await open('/');
  const box1 = card('box1');
  await has(box1, ['The disk sda says that it is failing for 1 d', 'GPU 0 RTX 4090 in use by ann', 'Used 97 %',
    '18.1 GiB of 24.0 GiB', '71 °C · 402 W of 450 W · at its power limit', ': speech run', 'GPU 1 RTX 3090 free',
    'full in about 3 days', 'TensorBoard 2.17 · found on port 6006, not published', '31 %, 61 °C']);
  assert.equal(await box1.getByRole('meter', { name: 'Used' }).first().getAttribute('aria-valuenow'), '97');
  assert.equal(await page.locator('#alert-count').textContent(), '1');
  assert.equal(await box1.getByRole('link', { name: 'box1', exact: true }).getAttribute('href'), '/machines/box1');
  // Who uses what somebody else has claimed is named; what is not known is a dash, never zero.
  stand.change('box1', ({ status, claims }) => {
    Object.assign(status.processes[0], { user: 'bob', person: undefined, against_claim: true });
    const gpu = status.gpus[1];
    delete gpu.used_share;
    delete gpu.memory_used_bytes;
    delete gpu.temperature_celsius;
    delete gpu.power_watts;
    claims[0].user = 'eve';
  });
  await box1.getByText('in use by bob').waitFor();
  const text = await has(box1, ['eve until', 'bob uses it, too', 'GPU 1 RTX 3090 — Used — Memory —']);
  assert.doesNotMatch(text, /GPU 1 RTX 3090[^G]*\b0 /);
  const unknown = box1.getByRole('meter', { name: 'Used' }).nth(1);
  assert.equal(await unknown.getAttribute('aria-valuetext'), 'not known');
  stand.change('box1', ({ status }) => { status.gpus[1].state = 'lost'; });
  await has(box1, ['GPU 1 RTX 3090 lost: it fell off its bus']);
  assert.deepEqual(world.complaints, []);
});

test('the filter knows GPUs and people, and the table has them, too', async () => {
  const { page } = world;
  await open('/');
  const names = () => page.locator(`${MACHINE} h2`).allTextContents();
  for (const [typed, found] of [['free', ['box1']], ['4090', ['box1']], ['ann', ['box1']], ['asleep', ['attic']],
    ['alerts', ['box1']], ['eve', []], ['trainer', ['box1']]]) {
    await page.getByRole('searchbox').fill(typed);
    assert.deepEqual(await names(), found, typed);
  }
  await page.getByRole('searchbox').fill('');
  await page.getByRole('radio', { name: 'Table' }).check();
  await has(page.getByRole('row', { name: 'box1' }), ['1 alert', '0 97 %, 71 °C ann', '1 0 %, 38 °C free']);
  await has(page.getByRole('row', { name: 'attic' }), ['Asleep']);
});

test('a machine that sleeps can be woken', async () => {
  const { stand } = world;
  await open('/');
  const attic = card('attic');
  await has(attic, ['Asleep', 'It said that it goes to sleep.']);
  await attic.getByRole('button', { name: 'Wake attic' }).click();
  await attic.getByText('The wake-up call is out.').waitFor();
  assert.deepEqual(stand.orders, [['POST', 'machines/attic/wake', undefined]]);
  stand.refuse = [409, 'no machine that is online is in the same network'];
  await attic.getByRole('button', { name: 'Wake attic' }).click();
  await attic.getByText('It was not woken: no machine that is online is in the same network.').waitFor();
  stand.change('attic', (one) => { one.online = true; one.asleep = false; });
  await attic.getByText('Online', { exact: true }).waitFor();
  assert.equal(await attic.getByRole('button', { name: 'Wake attic' }).isVisible(), false);
  assert.equal(await card('cellar').getByRole('button', { name: 'Wake' }).isVisible(), false);
  await open('/machines/cellar');
  await world.page.getByRole('button', { name: 'Wake cellar' }).click();
  await world.page.getByText('The wake-up call is out.').waitFor();
});

test('what was found is published by one click, and taken back', async () => {
  const { page, stand } = world;
  await open('/');
  const found = card('box1').locator('.service').filter({ hasText: 'TensorBoard' });
  assert.equal(await found.getByRole('link').isVisible(), false);
  stand.refuse = [409, 'it is not there any more'];
  await found.getByRole('button', { name: 'Publish tensorboard on box1' }).click();
  await found.getByText('That did not work: it is not there any more.').waitFor();
  await found.getByRole('button', { name: 'Publish tensorboard on box1' }).click();
  await found.getByRole('link', { name: 'Open tensorboard on box1' }).waitFor();
  assert.equal(await found.getByRole('button').isVisible(), false);
  await open();
  await page.getByRole('button', { name: 'Stop publishing tensorboard on box1' }).click();
  await page.getByText('found on port 6006, not published').waitFor();
  assert.deepEqual(stand.orders.map(([method]) => method), ['POST', 'POST', 'DELETE']);
  stand.me.role = 'member';
  await open();
  await page.getByText('found on port 6006, not published').waitFor();
  assert.equal(await page.getByRole('button', { name: /ublish/ }).isVisible(), false);
});

// The page of a machine

test('the page of a machine says everything', async () => {
  const { page } = world;
  await open();
  assert.equal(await page.title(), 'box1 · Sallyport');
  await has(block(0), ['NVIDIA GeForce RTX 4090', 'in use by ann', 'Fan 55 %', 'Power 402 W of 450 W',
    'Speed at its power limit', 'Clock 2520 MHz of 3105 MHz', 'PCIe 16 lanes, generation 4', 'Xid errors 0',
    'Energy 527.8 kWh', 'Driver 550.54.14', 'Claimed by ann until']);
  // An idle GPU takes its bus back: only the width is judged then.
  await has(block(1), ['It has 8 of 16 lanes', '8 of 16 lanes, generation 1 ', 'Memory errors 0 corrected']);
  const programs = page.getByRole('region', { name: /^Programs/ }).getByRole('row');
  await has(programs.nth(1), ['python train.py', 'ann', '17.7 GiB', '6 %', '3 d 3 h', 'trainer, work/speech.ipynb']);
  await has(programs.nth(2), ['ffmpeg', 'bob', '24 %']);
  await has(programs.nth(3), ['smbd', 'root', '—']);
  await has(page.locator('#filesystems'), ['/data 94 % 55.9 GiB 3.6 TiB 4 % full in about 3 days']);
  await has(page.locator('#disks'), ['passed 44 °C 3 % 416 d', 'failing, 24 sectors replaced, 2 errors 39 °C —']);
  await has(page.locator('#sensors'), ['k10temp Tctl 61 °C', '1200 turns a minute']);
  await has(page.locator('#networks'), ['enp5s0 1.1 MiB/s 88.9 KiB/s']);
  await has(page.locator('#facts'), ['Power 612 W', 'Waiting for disks 8 %']);
  await has(page.locator('#content'), ['The disk sda says that it is failing']);
  assert.deepEqual(world.complaints, []);
});

test('it is live, and says when the machine has gone', async () => {
  const { page, stand } = world;
  await open();
  stand.change('box1', ({ status }) => {
    status.gpus[0].temperature_celsius = 92;
    status.gpus[0].throttle = 'thermal';
    status.processes[0].ended = true;
  });
  await block(0).getByText('It is slowed by heat.').waitFor();
  await has(block(0), ['92 °C', 'claimed by ann']);
  assert.equal(await page.getByText('python train.py').isVisible(), false);
  stand.change('box1', (one) => { one.online = false; });
  await page.locator('#state').getByText('Offline').waitFor();
  assert.equal(await page.locator('#gpu-section').isVisible(), false);
  await page.goto(`${stand.origin}/machines/nowhere`);
  await page.locator('#gone').getByText('There is no machine of this name that you may see.').waitFor();
  assert.equal(await page.locator('#content').isVisible(), false);
});

test('a GPU is taken for some hours, changed and released', async () => {
  const { page, stand } = world;
  await open();
  await block(1).getByRole('button', { name: 'Take GPU 1 of box1' }).click();
  const hours = block(1).getByLabel('Hours');
  assert.equal(await hours.inputValue(), '8');
  assert.ok(await hours.evaluate((node) => node === document.activeElement));
  await hours.fill('2.5');
  await block(1).getByLabel('What for').fill('<b>eval</b>');
  await page.keyboard.press('Enter');
  await block(1).getByText('Claimed by ada until').waitFor();
  assert.match(await block(1).locator('.claim-text').textContent(), /: <b>eval<\/b>$/);
  assert.deepEqual(stand.orders.pop(), ['POST', 'machines/box1/claims', { gpu: 1, for_s: 9000, note: '<b>eval</b>' }]);
  await block(1).getByRole('button', { name: 'Change GPU 1 of box1' }).click();
  stand.refuse = [409, 'ann was faster'];
  await block(1).getByRole('button', { name: 'Take GPU 1 of box1' }).click();
  await block(1).getByText('That did not work: ann was faster.').waitFor();
  await block(1).getByRole('button', { name: 'Cancel' }).click();
  await block(1).getByRole('button', { name: 'Release GPU 1 of box1' }).click();
  await block(1).getByText('Nobody has claimed it.').waitFor();
  assert.deepEqual(stand.orders.pop(), ['DELETE', 'machines/box1/claims/1', undefined]);
  // Admins may release what others have claimed; members may not, and nobody takes it.
  assert.equal(await block(0).getByRole('button', { name: 'Take' }).isVisible(), false);
  assert.ok(await block(0).getByRole('button', { name: 'Release' }).isVisible());
  stand.me.role = 'member';
  await open();
  await block(0).getByText('Claimed by ann until').waitFor();
  assert.equal(await block(0).getByRole('button', { name: /Take|Release|Change/ }).isVisible(), false);
  assert.deepEqual(world.complaints.filter((one) => !/409/.test(one)), []);
});

// Charts

const painted = (canvas) => canvas.evaluate((node) => {
  const { data } = node.getContext('2d').getImageData(0, 0, node.width, node.height);
  return data.some((value) => value !== 0);
});

test('charts are drawn, told in words, and shown as tables', async () => {
  const { page } = world;
  await open();
  const used = chart('GPU used');
  await used.locator('canvas').waitFor();
  assert.ok(await painted(used.locator('canvas')));
  assert.deepEqual(await page.locator('.chart:visible h3').allTextContents(), ['GPU used', 'GPU memory', 'CPU used',
    'Memory', 'Temperature', 'Power', 'Disk', 'Network']);
  assert.match(await used.getByRole('img').getAttribute('aria-label'),
    /^GPU used\. GPU 0 RTX 4090: 9\d %, between 9\d % and 9\d %; GPU 1 RTX 3090: \d+ %, between/);
  assert.match(await used.locator('.legend').innerText(), /GPU 0 RTX 4090\s+9\d %/);
  const button = used.getByRole('button', { name: 'Show as table GPU used' });
  await button.focus();
  await page.keyboard.press('Enter');
  const table = used.getByRole('table', { name: 'GPU used, the mean of each stretch' });
  await table.waitFor();
  assert.equal(await used.locator('canvas').isVisible(), false);
  assert.deepEqual(await table.getByRole('columnheader').allTextContents(), ['From', 'GPU 0 RTX 4090', 'GPU 1 RTX 3090']);
  const rows = await table.getByRole('row').count();
  assert.ok(rows > 40 && rows < 50, `${rows} rows`);
  assert.match(await table.getByRole('row').nth(1).innerText(), /9\d %/);
  await used.getByRole('button', { name: 'Show as chart GPU used' }).click();
  await used.locator('canvas').waitFor();
  await chart('Temperature').getByRole('button').click();
  await page.getByRole('table', { name: 'Temperature, the highest of each stretch' }).waitFor();
  assert.deepEqual(world.complaints, []);
});

test('no line is drawn across the time in which a machine was away', async () => {
  const { page } = world;
  await page.addInitScript(() => {
    let real;
    window.drawn = [];
    Object.defineProperty(window, 'uPlot', {
      set(value) { real = value; },
      get: () => function keep(options, data, node) { window.drawn.push(data); return new real(options, data, node); },
    });
  });
  await open();
  await chart('GPU used').locator('canvas').waitFor();
  const [times, values] = await page.evaluate(() => window.drawn[0]);
  assert.equal(values.filter((value) => value === null).length, 1);
  const gap = values.indexOf(null);
  assert.equal(times[gap] - times[gap - 1], 60);
  assert.ok(times[gap + 1] - times[gap] > 3600);
});

test('ranges are chosen, and their values downloaded', async () => {
  const { page, stand } = world;
  const asked = [];
  page.on('request', (request) => { if (request.url().includes('/history')) asked.push(new URL(request.url())); });
  await open();
  await chart('GPU used').locator('canvas').waitFor();
  for (const [name, seconds] of [['1 h', 3600], ['14 days', 14 * 86400], ['2 years', 730 * 86400]]) {
    const [request] = await Promise.all([page.waitForRequest(/history/), page.getByRole('radio', { name }).check()]);
    const { searchParams } = new URL(request.url());
    assert.match(searchParams.get('from'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal((Date.parse(searchParams.get('to')) - Date.parse(searchParams.get('from'))) / 1000, seconds);
  }
  const csv = page.getByRole('link', { name: 'CSV' });
  const url = new URL(await csv.getAttribute('href'), stand.origin);
  assert.equal(`${url.pathname} ${url.searchParams.get('format')}`, '/api/v1/machines/box1/history csv');
  assert.equal(url.searchParams.get('from'), asked.at(-1).searchParams.get('from'));
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'JSON' }).click()]);
  assert.equal(file.suggestedFilename(), 'box1.json');
  assert.equal(JSON.parse(readFileSync(await file.path(), 'utf8')).machine, 'box1');
});

test('what was lost of the history is said, and what is not known', async () => {
  const { page, stand } = world;
  stand.lost = 'The values before 3 November were lost: the file was damaged.';
  await open();
  await page.getByText('The values before 3 November were lost').waitFor();
  await page.goto(`${stand.origin}/machines/attic`);
  await page.getByText('Nothing is known of this time.').waitFor();
  assert.equal(await page.locator('.chart:visible').count(), 0);
});

// Does it pay

test('it says whether the machine pays, and an admin sets the prices', async () => {
  const { page, stand } = world;
  await open();
  const pay = page.locator('#pay');
  await has(pay, ['It will have paid for itself on about', '€1,614.90 of €4,100.00', 'GPU-hours used 5700.0',
    'prices.ini, 2026-11-01', 'ann 4300.0 1710.0 kWh €530.10 €1,850.00']);
  await pay.getByText('Prices', { exact: true }).click();
  assert.equal(await pay.getByLabel('The machine cost').inputValue(), '4100');
  await pay.getByLabel('The machine cost').fill('1500');
  await pay.getByLabel('Currency').fill('<i>');
  await pay.getByRole('button', { name: 'Save' }).click();
  await pay.getByText('Yes: it has paid for itself.').waitFor();
  await has(pay, ['1500.00 <i>']);
  assert.deepEqual(stand.orders.pop(), ['PUT', 'machines/box1/pay', { machine_price: 1500, power_price_per_kwh: 0.31,
    since: '2026-03-01', currency: '<i>' }]);
  stand.me.role = 'member';
  stand.pay.box1 = {};
  await open();
  await pay.getByText('Too little is known yet to say so.').waitFor();
  await has(pay, ['An admin can say here what the machine and its power cost.', 'Saved —']);
  assert.equal(await pay.getByText('Prices', { exact: true }).count(), 0);
});

// Safety and access

const ODD = '<img src=x onerror=document.title="owned"> \u202e gnirts \u202c';

function makeHostile(mock) {
  mock.change('box1', (one) => {
    const long = 'a-very-long-word-without-any-place-to-break-it-'.repeat(4);
    Object.assign(one.status.gpus[0], { name: ODD, driver: ODD, throttle: '<b>' });
    one.status.gpus[1].name = long;
    Object.assign(one.status.processes[0], { user: ODD, person: undefined, command: ODD + long, container: ODD, notebook: long });
    Object.assign(one.status.disks[0], { model: ODD, health: ODD });
    one.status.filesystems[0].mount = `/${ODD}`;
    one.status.sensors[0].name = ODD;
    one.status.networks[0].name = ODD;
    one.claims[0].note = ODD + long;
    one.alerts[0].text = ODD + long;
    one.services[2].detail = ODD + long;
  });
  mock.pay.box1.gpus[0].name = ODD;
  mock.pay.box1.users[0].user = ODD;
}

test('what machines and people say is text and nothing else', async () => {
  const { page, stand } = world;
  makeHostile(stand);
  for (const path of ['/', '/machines/box1']) {
    await open(path);
    await page.getByText('<img src=x').first().waitFor();
    if (path !== '/') {
      await chart('GPU used').locator('canvas').waitFor();
      await chart('GPU used').getByRole('button').click();
    }
    assert.ok(await page.getByText('<img src=x').count() > 3, path);
    assert.equal(await page.locator('main :is(img, script, b)').count(), 0, path);
    assert.doesNotMatch(await page.title(), /owned/);
  }
  // What turns the direction of text round ends with what it stands in.
  const turned = await page.locator('#content *').evaluateAll((all) => all
    .filter((node) => [...node.childNodes].some((one) => one.nodeType === 3 && one.data.includes('\u202e')))
    .filter((node) => !/isolate|plaintext/.test(getComputedStyle(node).unicodeBidi) && !node.closest('[hidden], .hidden'))
    .map((node) => `${node.tagName} ${node.className}`));
  assert.deepEqual(turned, []);
  assert.deepEqual(world.complaints, []);
});

const SCENES = {
  '/ home': async () => {},
  '/ table': () => world.page.getByRole('radio', { name: 'Table' }).check(),
  '/machines/box1 machine': async () => {
    await chart('GPU used').locator('canvas').waitFor();
    await block(1).getByRole('button', { name: 'Take' }).click();
    await world.page.locator('#pay').getByText('Prices', { exact: true }).click();
    await chart('CPU used').getByRole('button').click();
  },
  '/machines/attic asleep': () => world.page.getByText('Nothing is known of this time.').waitFor(),
  '/machines/nowhere nowhere': () => world.page.locator('#gone').getByText('There is no machine').waitFor(),
};

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1440]) {
    test(`the pages are accessible and fit, ${colorScheme}, ${width} px`, async () => {
      await world.context.close();
      await openBrowser({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
      const { page, stand } = world;
      // Long and odd names where there is least room, and once more in the other colours.
      for (const hostile of (width === 360) === (colorScheme === 'light') ? [false, true] : [false]) {
        for (const [scene, show] of Object.entries(SCENES)) {
          const [path, what] = scene.split(' ');
          await page.goto(stand.origin + path);
          await page.locator('#content, #gone').filter({ visible: true }).waitFor();
          await show();
          await check(`${what} ${hostile ? 'hostile' : ''}`);
          if (process.env.SHOTS) {
            const name = `${what}${hostile ? '-hostile' : ''}-${colorScheme}-${width}.png`;
            await page.screenshot({ path: join(process.env.SHOTS, name), fullPage: true });
          }
          await page.evaluate(() => localStorage.clear());
        }
        if (!hostile) {
          makeHostile(stand);
        }
      }
      assert.deepEqual(world.complaints, []);
    });
  }
}
