// The page of alerts, in front of a relay of made-up answers (mock.mjs). Wants what machine.test.mjs wants.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Mock } from './mock.mjs';
import { check, openBrowser, prepare, world } from './stand.mjs';

prepare(() => new Mock().start());

async function open() {
  await world.page.goto(`${world.stand.origin}/alerts`);
  await world.page.locator('#settings > li').first().waitFor();
}

const list = (name) => world.page.getByRole('region', { name }).getByRole('listitem');
const PAST = { machine: 'box1', kind: 'gpu_hot', object: 'gpu0', since: '2026-11-20T10:00:00Z',
  until: '2026-11-20T10:32:00Z', text: 'GPU 0 is at 91 degrees Celsius' };

test('it says what is wrong, what was, and what to do when there is nothing', async () => {
  const { page, stand } = world;
  stand.past = [PAST];
  await open();
  await list('Wrong now').getByText('The disk sda says that it is failing').waitFor();
  assert.match(await list('Wrong now').innerText(), /box1.*for 1 d/s);
  assert.match(await list('The last days').innerText(), /GPU 0 is at 91 degrees Celsius.*32 min long, over/s);
  assert.equal(await page.locator('#summary').textContent(), '1 on 1 machine');
  // Live: what comes and goes with the machines.
  stand.past = [];
  stand.change('box1', (one) => { one.alerts = []; });
  await page.getByText('Nothing is wrong with the machines that you may see.').waitFor();
  await page.getByText('Nothing was wrong in the last days.').waitFor();
  await page.getByText('Nobody is told so far. Add a topic of ntfy').waitFor();
  assert.equal(await page.locator('#alert-count').isVisible(), false);
  assert.deepEqual(world.complaints, []);
});

test('a channel is added, tested and removed', async () => {
  const { page, stand } = world;
  await open();
  const add = page.getByRole('button', { name: 'Add' });
  stand.refuse = [400, 'an address begins with https://'];
  await page.getByLabel('Address of the topic').fill('ftp://x');
  await add.click();
  await page.getByText('That did not work: an address begins with https://.').waitFor();
  await page.getByLabel('Address of the topic').fill('https://ntfy.sh/box');
  await page.getByLabel('It has a private address').check();
  await add.click();
  await list('Where messages go').getByText('https://ntfy.sh/box', { exact: true }).first().waitFor();
  assert.deepEqual(stand.orders.pop()[2], { kind: 'ntfy', address: 'https://ntfy.sh/box', private: true });
  assert.equal(await page.getByText('Nobody is told so far').isVisible(), false);
  await page.getByRole('button', { name: 'Test ntfy https://ntfy.sh/box' }).click();
  await list('Where messages go').getByText('The test message got there.').waitFor();
  stand.trouble = 'the server answers 403 <b>';
  await page.getByRole('button', { name: 'Test ntfy https://ntfy.sh/box' }).click();
  await list('Where messages go').getByText('Messages do not get there: the server answers 403 <b>').waitFor();
  await page.getByLabel('Kind').selectOption('mail');
  assert.equal(await page.getByLabel('It has a private address').isVisible(), false);
  await page.getByLabel('Mail address').fill('ada@example.org');
  await add.click();
  await list('Where messages go').nth(1).waitFor();
  assert.deepEqual(stand.orders.pop()[2], { kind: 'mail', address: 'ada@example.org' });
  await page.getByRole('button', { name: 'Remove ntfy https://ntfy.sh/box' }).click();
  await list('Where messages go').nth(1).waitFor({ state: 'detached' });
  assert.deepEqual(stand.channels.map((one) => one.kind), ['mail']);
});

test('quiet hours are set and turned off', async () => {
  const { page, stand } = world;
  await world.context.close();
  await openBrowser({ timezoneId: 'Asia/Kolkata' });
  await world.page.goto(`${stand.origin}/alerts`);
  await world.page.getByText('They are off.').waitFor();
  await world.page.getByLabel('From', { exact: true }).fill('23:30');
  await world.page.getByRole('button', { name: 'Save' }).click();
  await world.page.getByText('They are from 23:30 to 07:00 (UTC+05:30).').waitFor();
  assert.deepEqual(stand.quiet, { from: '23:30', to: '07:00', offset: '+05:30' });
  await world.page.getByRole('button', { name: 'Turn off' }).click();
  await world.page.getByText('They are off.').waitFor();
  assert.deepEqual(stand.quiet, {});
  assert.notEqual(page, world.page);
});

test('thresholds are set for all or for one machine, as people count', async () => {
  const { page, stand } = world;
  await open();
  const hot = page.getByLabel('From this temperature on a GPU is hot');
  const away = page.getByLabel('How long a machine is away');
  assert.deepEqual([await hot.inputValue(), await away.inputValue(), await page.getByLabel('From this part on').inputValue()],
    ['87', '5', '95']);
  await away.fill('10');
  await away.press('Tab');
  await page.getByText('changed').waitFor();
  assert.deepEqual(stand.orders.pop()[2], { machine: null, name: 'offline_after_s', value: '600' });
  await page.getByRole('button', { name: 'Default for how long a machine is away' }).click();
  await page.getByText('changed').waitFor({ state: 'hidden' });
  assert.equal(await away.inputValue(), '5');
  await page.getByLabel('Settings of').selectOption('box1');
  await page.getByLabel('A GPU is hot', { exact: true }).uncheck();
  await page.getByText('for box1').waitFor();
  assert.deepEqual(stand.orders.pop()[2], { machine: 'box1', name: 'gpu_hot', value: 'off' });
  stand.refuse = [400, 'gpu_temperature_celsius is a number from 40 to 120'];
  await hot.fill('1000');
  await hot.press('Enter');
  await page.getByText('That did not work: gpu_temperature_celsius is a number from 40 to 120.').waitFor();
  assert.equal(await hot.inputValue(), '87');
});

test('members see the thresholds, and change only what is theirs', async () => {
  const { page, stand } = world;
  stand.me.role = 'member';
  await open();
  await page.getByText('An admin can change these.').waitFor();
  assert.equal(await page.locator('#settings input:enabled').count(), 0);
  assert.equal(await page.getByLabel('It has a private address').isVisible(), false);
  assert.deepEqual(await page.getByLabel('Kind').locator('option').allTextContents(), ['ntfy', 'Webhook']);
  assert.ok(await page.getByRole('button', { name: 'Add' }).isEnabled());
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1440]) {
    test(`the page of alerts is accessible and fits, ${colorScheme}, ${width} px`, async () => {
      await world.context.close();
      await openBrowser({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
      const { page, stand } = world;
      const look = async (what) => {
        await check(what);
        if (process.env.SHOTS) {
          await page.screenshot({ path: join(process.env.SHOTS, `alerts-${what}-${colorScheme}-${width}.png`), fullPage: true });
        }
      };
      await page.goto(`${stand.origin}/alerts`);
      await page.getByText('Nobody is told so far').waitFor();
      await look('empty');
      const long = `<b>${'a-very-long-word-without-any-place-to-break-it-'.repeat(5)}`;
      stand.past = [PAST, { ...PAST, since: '2026-11-19T10:00:00Z', text: long }];
      stand.channels.push({ id: 7, user: 'ada', kind: 'webhook', address: long, private: true, created: PAST.since,
        waiting: 3, trouble: long });
      stand.settings[0].set_for = 'all';
      await open();
      await page.getByText('3 waiting').waitFor();
      await look('full');
      assert.deepEqual(world.complaints, []);
    });
  }
}
