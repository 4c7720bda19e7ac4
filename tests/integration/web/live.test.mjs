// The page of machines stays true by itself: live changes, one connection for all tabs, and what happens without one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MACHINE, Stand, base, card, check, logIn, openPage, openTab, prepare, world } from './stand.mjs';

const EVENTS = /\/api\/v1\/events$/;

prepare();

// How often the browser has asked for the stream of events.
function countStreams() {
  const seen = { count: 0 };
  world.context.on('request', (request) => { seen.count += EVENTS.test(request.url()) ? 1 : 0; });
  return seen;
}

const barOf = (page) => page.locator('#bar');

// Waits until the page says that the relay is lost, and back again once it is there.
async function restart(meanwhile) {
  const { dir, stand } = world;
  await stand.kill();
  await meanwhile();
  world.stand = await new Stand().start(dir, stand.port);
}

test('a change appears within two seconds, and nobody loses his place', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box2').waitFor();
  await page.evaluate(() => {
    const cards = [...document.querySelectorAll('#machines > li')];
    const box2 = cards.find((node) => node.querySelector('h2').textContent === 'box2');
    box2.mark = 'same';
    box2.querySelector('[data-copy]').focus();
    getSelection().selectAllChildren(box2.querySelector('.line code'));
  });
  const times = [];
  for (const [scene, text] of [['offline', 'Offline'], ['home', 'Online'], ['offline', 'Offline']]) {
    const began = Date.now();
    await stand.order(`show ${scene}`);
    await card('box1').getByText(text, { exact: true }).waitFor();
    times.push(Date.now() - began);
  }
  assert.ok(Math.min(...times) < 2000, `it took ${times} ms`);
  const state = await page.evaluate(() => ({
    mark: document.activeElement.closest('li.machine')?.mark,
    selection: String(getSelection()),
  }));
  assert.deepEqual(state, { mark: 'same', selection: `ssh -J ada@localhost:${stand.port} box2` });
  assert.equal(await card('box1').locator('.line:visible').count(), 0);
  assert.equal(await page.locator('#summary').textContent(), '1 of 3 online');
  assert.match(await card('box1').innerText(), /Last seen\s+2 h 3 min ago/);
  assert.deepEqual(world.complaints, []);
});

test('machines, loads and notebooks come and go', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box1').getByText('train.ipynb').waitFor();
  await stand.order('notebook idle');
  await card('box1').getByText('train.ipynb python3, idle').waitFor();
  await stand.order('load 3');
  await card('box1').getByText('3.00 on 16 CPUs').waitFor();
  await stand.order('join box7');
  await card('box7').getByText('Online').waitFor();
  assert.deepEqual(await page.locator(`${MACHINE} h2`).allTextContents(), ['box1', 'box2', 'box7', 'attic']);
  await stand.order('leave box7');
  await card('box7').waitFor({ state: 'detached' });
  await stand.order('show empty');
  await page.getByText('No machines yet').waitFor();
  assert.deepEqual(world.complaints, []);
});

test('who listens is told what happens, in few words', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box1').waitFor();
  const news = (text) => page.waitForFunction((wanted) => document.getElementById('news').textContent === wanted, text);
  await stand.order('load 3');
  await stand.order('show offline');
  await news('box1 is offline.');
  await stand.order('show home');
  await stand.order('join box7');
  await news('box1 is online, box7 is online.');
  for (const name of ['box4', 'box5', 'box6', 'box8', 'box9']) {
    await stand.order(`join ${name}`);
  }
  await news('5 machines are online.');
  await stand.order('leave box7');
  await news('box7 was removed.');
  assert.equal(await page.locator('#news').getAttribute('role'), 'status');
});

test('ages go on by themselves', async () => {
  const { page, stand } = world;
  await page.clock.install();
  await logIn();
  await card('box1').getByText('2 h 3 min').waitFor();
  // Even when nothing is heard from the relay.
  stand.child.kill('SIGSTOP');
  try {
    await page.clock.fastForward(60 * 1000);
    await card('box1').getByText('2 h 4 min').waitFor();
  } finally {
    stand.child.kill('SIGCONT');
  }
});

test('all tabs share one connection, and the next takes over when its tab is closed', async () => {
  const { page, stand } = world;
  const streams = countStreams();
  await logIn();
  await card('box1').waitFor();
  const tabs = [await openTab(), await openTab()];
  await stand.order('show offline');
  for (const tab of [page, ...tabs]) {
    await card('box1', tab).getByText('Offline').waitFor();
  }
  assert.equal(streams.count, 1);
  await page.close();
  await stand.order('show home');
  for (const tab of tabs) {
    await card('box1', tab).getByText('Online').waitFor();
    assert.equal(await barOf(tab).isVisible(), false);
  }
  assert.equal(streams.count, 2);
  // A tab that comes later has it from the leader.
  await openTab();
  assert.equal(streams.count, 2);
});

test('a tab that sleeps hands over, and comes back as one of many', async () => {
  const { page, stand } = world;
  const streams = countStreams();
  await logIn();
  await card('box1').waitFor();
  const other = await openTab();
  const lives = (event) => page.evaluate((name) => document.dispatchEvent(new Event(name)), event);
  const second = other.waitForRequest(EVENTS);
  await lives('freeze');
  await second;
  await stand.order('show offline');
  await card('box1', other).getByText('Offline').waitFor();
  assert.equal(await card('box1').getByText('Online').count(), 1);
  await lives('resume');
  await card('box1').getByText('Offline').waitFor();
  assert.equal(streams.count, 2);
});

test('a leader that does not answer loses the lead', async () => {
  const { page, stand } = world;
  await page.addInitScript(() => { BroadcastChannel.prototype.postMessage = () => {}; });
  await logIn();
  await card('box1').waitFor();
  const other = await openPage();
  const streams = countStreams();
  await other.goto(base());
  await other.waitForSelector(MACHINE);
  assert.equal(streams.count, 1);
  await stand.order('show offline');
  await card('box1', other).getByText('Offline').waitFor();
  // The one that was asleep listens to the new leader now.
  await card('box1').getByText('Offline').waitFor();
  assert.equal(streams.count, 1);
});

test('without locks every tab has a connection of its own', async () => {
  const { page, stand } = world;
  await world.context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });
  });
  const streams = countStreams();
  await logIn();
  await card('box1').waitFor();
  const other = await openTab();
  await stand.order('show offline');
  await card('box1', page).getByText('Offline').waitFor();
  await card('box1', other).getByText('Offline').waitFor();
  assert.equal(streams.count, 2);
});

test('it says when the relay is gone, in all tabs, and recovers by itself', async () => {
  const { page } = world;
  await logIn();
  await card('box1').waitFor();
  const other = await openTab();
  await restart(async () => {
    for (const tab of [page, other]) {
      await barOf(tab).getByText('The relay cannot be reached.').waitFor();
      assert.match(await barOf(tab).innerText(), /What you see is from .*\d.* ago\. Trying again/);
    }
    await page.waitForFunction(() => /is lost/.test(document.getElementById('said').textContent));
    await check('the relay is gone');
  });
  const tabs = [page, other];
  await Promise.all(tabs.map((tab) => barOf(tab).getByText('The relay is back.').waitFor()));
  await Promise.all(tabs.map((tab) => barOf(tab).waitFor({ state: 'hidden' })));
  await world.stand.order('show offline');
  await card('box1', page).getByText('Offline').waitFor();
  await card('box1', other).getByText('Offline').waitFor();
});

test('a tab that does not lead may try at once', async () => {
  const { page } = world;
  await logIn();
  await card('box1').waitFor();
  const other = await openTab();
  // The leader would wait for ever.
  await page.evaluate(() => {
    const later = window.setTimeout;
    window.setTimeout = (call, ms) => (ms > 500 ? 0 : later(call, ms));
  });
  await restart(() => barOf(other).waitFor());
  await other.getByRole('button', { name: 'Try now' }).click();
  await barOf(other).getByText('The relay is back.').waitFor();
});

test('a connection that died without a word is noticed', async () => {
  const { page, stand } = world;
  await page.clock.install();
  await logIn();
  await card('box1').waitFor();
  stand.child.kill('SIGSTOP');
  try {
    await page.clock.fastForward(30 * 1000);
    assert.equal(await barOf(page).isVisible(), false);
    await page.clock.fastForward(10 * 1000);
    await page.clock.fastForward(2 * 1000);
    await barOf(page).waitFor();
  } finally {
    stand.child.kill('SIGCONT');
  }
  await barOf(page).getByText('The relay is back.').waitFor();
});

test('without a network it says so at once, and it is quick when there is one again', async () => {
  const { page, context } = world;
  await logIn();
  await card('box1').waitFor();
  // Where there is no network but loopback, the browser counts as offline from the start and tells nobody.
  const tell = (event) => page.evaluate((name) => window.dispatchEvent(new Event(name)), event);
  await context.setOffline(true);
  await tell('offline');
  await barOf(page).getByText('The relay cannot be reached.').waitFor();
  await context.setOffline(false);
  await tell('online');
  await barOf(page).getByText('The relay is back.').waitFor();
});

test('an answer that is no stream is told as what it is', async () => {
  const { page } = world;
  await page.route(EVENTS, (route) => route.fulfill({ status: 429, body: '{}' }));
  await logIn();
  await barOf(page).getByText('The relay cannot be reached: it answered with error 429.').waitFor();
  await page.unroute(EVENTS);
  await barOf(page).getByText('The relay is back.').waitFor();
});

test('a session that ends leads to the login page, in all tabs', async () => {
  const { page, stand } = world;
  await logIn();
  await card('box1').waitFor();
  const other = await openTab();
  await stand.order('logout');
  for (const tab of [page, other]) {
    await tab.getByRole('heading', { name: 'Log in' }).waitFor();
  }
});

test('a tab of another user keeps to itself', async () => {
  const { stand } = world;
  const streams = countStreams();
  await logIn();
  await card('box1').waitFor();
  const other = await openPage();
  await other.goto(base() + await stand.order('login bob'));
  await other.getByText('Nobody has given you a machine yet.').waitFor();
  assert.equal(streams.count, 2);
  // The browser knows only bob now, and the first tab sees that when it has to ask.
  await world.page.evaluate(() => window.dispatchEvent(new Event('offline')));
  await restart(() => barOf(other).waitFor());
  await world.page.getByText('Nobody has given you a machine yet.').waitFor();
});

test('events are understood in pieces of any size', async () => {
  const { page } = world;
  await logIn();
  const wrong = await page.evaluate(async () => {
    const { makeEventReader } = await import('/assets/live.js');
    const stream = 'retry: 2000\n\n: beat\n\nevent: machines\ndata: [1,\ndata:2]\n\r\nevent:gone\r\ndata: {"name":"a: b"}\r\n\r\n'
      + 'event: none\n\ndata\n\n:\n\ndata: x\n\nevent: cut\ndata: y\n';
    const wanted = '[["machines","[1,\\n2]"],["gone","{\\"name\\":\\"a: b\\"}"],["message",""],["message","x"]]';
    const wrongOnes = [];
    for (let size = 1; size <= stream.length; size += 1) {
      const heard = [];
      const push = makeEventReader((...event) => heard.push(event));
      for (let i = 0; i < stream.length; i += size) {
        push(stream.slice(i, i + size));
      }
      if (JSON.stringify(heard) !== wanted) {
        wrongOnes.push(`${size}: ${JSON.stringify(heard)}`);
      }
    }
    return wrongOnes;
  });
  assert.deepEqual(wrong, []);
});
