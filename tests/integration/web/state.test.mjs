// The machine's own state in the browser, from end to end: real relay and agent, a stand-in for NVIDIA's library (NVML),
// something that answers as TensorBoard does, and somewhere for messages to go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { CHROMIUM, FLAGS, STRETCH, World, until } from './world.mjs';

const NOTE = 'speech <b>run</b>';

let world;
let browser;
let page;
let board; // TensorBoard's port
const messages = [];
const complaints = [];

async function serve(answer) {
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  world.atEnd(() => { server.closeAllConnections(); server.close(); });
  return server.address().port;
}

// What the GPUs do from now on (tests/stand/nvml_script.h), in one step.
function play(...lines) {
  writeFileSync(world.path('gpus.new'), lines.map((line) => `${line}\n`).join(''));
  renameSync(world.path('gpus.new'), world.path('gpus.script'));
}

before(async () => {
  world = await new World().relay();
  board = await serve((request, response) => {
    const known = { '/': '<title>TensorBoard</title>',
      '/data/environment': JSON.stringify({ version: '2.15.1', data_location: '/logs', window_title: '' }) };
    response.writeHead(known[request.url] ? 200 : 404, { 'Content-Type': request.url === '/' ? 'text/html' : 'application/json' });
    response.end(known[request.url] ?? 'nothing');
  });
  play('gpu 0 utilization 97');
  await world.machine('box1', {}, world.folder('box1-home'), {
    lines: 'sample_interval = 2\n',
    env: { LD_LIBRARY_PATH: dirname(process.env.NVML), SALLYPORT_NVML_SCRIPT: world.path('gpus.script') },
  });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const context = await browser.newContext({ ignoreHTTPSErrors: true, acceptDownloads: true });
  context.setDefaultTimeout(60_000 * STRETCH);
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(await world.link());
});

after(async () => {
  await browser?.close();
  await world?.close();
});

const block = (index) => page.locator('#gpus > li').filter({ has: page.getByRole('heading', { name: `GPU ${index}` }) });

test('the card shows the GPUs as they are', async () => {
  const gpu = page.locator('.gpu').first();
  await gpu.getByText('97 %').waitFor();
  play('gpu 0 utilization 42');
  await gpu.getByText('42 %').waitFor();
  await page.locator('.gpu').nth(1).getByText('GPU 1').waitFor();
});

test('what was found is published by a click, and opens', async () => {
  const service = page.locator('.service').filter({ hasText: 'TensorBoard' });
  await service.getByText(`found on port ${board}, not published`).waitFor();
  await service.getByRole('button', { name: /^Publish/ }).click();
  const [opened] = await Promise.all([page.waitForEvent('popup'), service.getByRole('link', { name: /^Open/ }).click()]);
  await opened.waitForFunction(() => document.title === 'TensorBoard');
  await opened.close();
});

test('charts are drawn from what the relay keeps, and downloaded', async () => {
  await page.getByRole('link', { name: 'box1', exact: true }).click();
  await page.getByRole('radio', { name: '1 h' }).check();
  const chart = page.locator('.chart').filter({ has: page.getByRole('heading', { name: 'GPU used', exact: true }) });
  await chart.locator('canvas').waitFor();
  await until('a value of it', async () => /GPU 0 .*42 %/s.test(await chart.locator('.legend').innerText()), 60);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()]);
  assert.match(readFileSync(await file.path(), 'utf8'), /^time,.*"gpu\.[^"]+\.used_share"/);
});

test('a GPU is taken and released', async () => {
  await block(1).getByRole('button', { name: /^Take/ }).click();
  await block(1).getByLabel('What for').fill(NOTE);
  await page.keyboard.press('Enter');
  await block(1).getByText('Claimed by alice until').waitFor();
  const [machine] = JSON.parse(await world.ctl('list', '--json'));
  assert.deepEqual(machine.claims.map((one) => [one.gpu, one.user, one.note]), [[1, 'alice', NOTE]]);
  await block(1).getByRole('button', { name: /^Release/ }).click();
  await block(1).getByText('Nobody has claimed it.').waitFor();
});

test('prices are set', async () => {
  const pay = page.locator('#pay');
  await pay.getByText('Prices', { exact: true }).click();
  await pay.getByLabel('The machine cost').fill('3200');
  await pay.getByLabel('Currency').fill('EUR');
  await pay.getByRole('button', { name: 'Save' }).click();
  await until('the price', async () => JSON.parse(await world.ctl('pay', 'box1', '--json')).machine_price === 3200);
});

test('a message gets where it should, and tells of a hot GPU', async () => {
  const hook = await serve(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    // The agent looks at every port, too.
    if (request.method === 'POST') messages.push(JSON.parse(Buffer.concat(pieces)));
    response.end();
  });
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: /^Alerts/ }).click();
  await page.getByLabel('Kind').selectOption('webhook');
  await page.getByLabel('Address that is called').fill(`http://127.0.0.1:${hook}/box`);
  await page.getByLabel('It has a private address').check();
  await page.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('button', { name: /^Test/ }).click();
  await page.locator('#channels').getByText('The test message got there.').waitFor();
  assert.equal(messages[0].state, 'test');
  const hot = page.getByLabel('From this temperature on a GPU is hot');
  await hot.fill('80');
  await hot.press('Tab');
  await page.locator('#settings').getByText('changed').waitFor();
  play('gpu 0 utilization 42', 'gpu 0 temperature 93');
  await page.locator('#on').getByText(/^GPU 0 is at 93/).waitFor();
  const message = await until('the message', () => messages.find((one) => one.kind === 'gpu_hot'), 60);
  assert.deepEqual([message.machine, message.state], ['box1', 'on']);
  // What it links to is the page of that machine.
  await page.goto(message.url.replace('127.0.0.1', 'localhost'));
  await block(0).getByText('93 °C').waitFor();
  await page.locator('#alerts').getByText(/^GPU 0 is at 93/).waitFor();
  assert.deepEqual(complaints, []);
});
