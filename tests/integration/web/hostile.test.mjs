// A machine with a hostile page, and a stranger's site, in the browser of somebody who is logged in: what they try at
// the relay and at another machine's Jupyter. Real relay, agents, Notebook 6 and Chromium.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { Tree } from './notebook.mjs';
import { CHROMIUM, FLAGS, World, freePort } from './world.mjs';

const SHOTS = process.env.SHOTS ?? 'shots';
const world = new World();
const seen = []; // what reached the hostile machine: method, target, headers
let browser;
let context;
let evil; // its page, open in the victim's browser
let relay;
let jupyter;

// The machine's server: a page that does what it is told, and headers that open every door it can.
async function serveEvil() {
  const port = await freePort();
  const server = http.createServer((request, response) => {
    seen.push({ method: request.method, url: request.url, headers: request.headers });
    response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '*');
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Service-Worker-Allowed', '/');
    response.appendHeader('Set-Cookie', '__Host-sallyport=tossed; Path=/; Secure');
    response.appendHeader('Set-Cookie', 'tossed=1; Domain=relay.localhost; Path=/');
    if (request.url === '/clear') response.setHeader('Clear-Site-Data', '"*"');
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>box1</title><body>a harmless page');
  }).listen(port, '127.0.0.1');
  world.atEnd(() => { server.closeAllConnections(); server.close(); });
  return port;
}

before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  // One site to the browser, so that it sends the victim's cookies along: the worst case, and that of a real relay.
  await world.relay('relay.localhost');
  const home = world.folder('box2-home');
  world.jupyter = await world.notebook(home);
  writeFileSync(join(world.folder('notebooks'), 'secret.js'), 'window.leaked = "the secret";');
  writeFileSync(join(world.folder('notebooks'), 'secret.css'), 'body { --leaked: secret; }');
  await world.machine('box1', { evil: await serveEvil() });
  await world.machine('box2', {}, home);
  await world.service('box1', 'evil');
  await world.service('box2', 'jupyter');
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  context = await browser.newContext({ ignoreHTTPSErrors: true });
  relay = await context.newPage();
  await relay.goto(await world.link());
  await relay.getByRole('heading', { name: 'box2' }).waitFor();
  const tree = await context.newPage();
  await tree.goto(`${world.origin()}/open/box2/jupyter`);
  await new Tree(tree).ready();
  jupyter = tree;
  evil = await context.newPage();
  await evil.goto(`${world.origin()}/open/box1/evil`);
  assert.equal(evil.url(), `${world.origin('box1--evil')}/`);
});

after(async () => {
  await browser?.close();
  await world.close();
});

const RELAY = () => world.origin();
const JUPYTER = () => world.origin('box2--jupyter');

// From within the hostile page. What it learns: the text of the answer, 'opaque', or 'failed'.
const attempt = (url, options) => evil.evaluate(async ([where, how]) => {
  try {
    const answer = await fetch(where, { credentials: 'include', ...how });
    return answer.type === 'opaque' ? 'opaque' : `${answer.status} ${await answer.text()}`;
  } catch {
    return 'failed';
  }
}, [url, options]);

test('the one who is attacked is really logged in everywhere', async () => {
  assert.equal(await relay.evaluate(async () => (await fetch('/api/v1/machines')).status), 200);
  assert.equal(await jupyter.evaluate(async () => (await fetch('/api/contents')).status), 200);
  assert.match(await attempt('/here'), /^200 .*harmless/s);
});

test('it cannot read what the relay or Jupyter say', async () => {
  for (const url of [`${RELAY()}/api/v1/machines`, `${RELAY()}/api/v1/me`, `${RELAY()}/api/v1/events`, `${RELAY()}/`,
    `${RELAY()}/open/box2/jupyter`, `${JUPYTER()}/api/contents`, `${JUPYTER()}/files/secret.js`,
    `${JUPYTER()}/.sallyport/assets/style.css`]) {
    assert.equal(await attempt(url), 'failed', url);
    assert.ok(['opaque', 'failed'].includes(await attempt(url, { mode: 'no-cors' })), url);
  }
});

test('what it posts to the relay has no effect', async () => {
  const body = JSON.stringify({ kind: 'user', name: 'mallory', role: 'admin', admin: true });
  const tries = [{}, { mode: 'no-cors' }, { headers: { 'Content-Type': 'application/json' } },
    { headers: { 'X-Sallyport-Token': 'guess' } }, { mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }];
  for (const how of tries) {
    for (const path of ['/api/v1/invites', '/api/v1/logout', '/api/v1/logout-everywhere']) {
      await attempt(`${RELAY()}${path}`, { method: 'POST', body, ...how });
    }
    await attempt(`${RELAY()}/api/v1/sessions/1`, { method: 'DELETE', ...how, mode: 'cors' });
  }
  await evil.evaluate((url) => navigator.sendBeacon(url, '{}'), `${RELAY()}/api/v1/logout`);
  assert.equal(await relay.evaluate(async () => (await fetch('/api/v1/me')).status), 200);
  assert.ok(!(await world.ctl('invite', 'list')).includes('mallory'));
});

test('what it sends to Jupyter has no effect', async () => {
  const kernels = () => jupyter.evaluate(async () => (await fetch('/api/kernels')).json());
  const before = await kernels();
  for (const how of [{}, { mode: 'no-cors' }, { headers: { 'Content-Type': 'application/json' } }]) {
    await attempt(`${JUPYTER()}/api/kernels`, { method: 'POST', body: '{}', ...how });
    await attempt(`${JUPYTER()}/api/contents/planted.txt`,
      { method: how.mode ? 'POST' : 'PUT', body: '{"type":"file","format":"text","content":"x"}', ...how });
    await attempt(`${JUPYTER()}/api/terminals`, { method: 'POST', ...how });
  }
  await evil.evaluate((url) => navigator.sendBeacon(url, '{}'), `${JUPYTER()}/api/kernels`);
  assert.deepEqual((await kernels()).length, before.length);
  assert.ok(!existsSync(world.path('notebooks', 'planted.txt')));
});

test('forms do not get through either', async () => {
  for (const url of [`${JUPYTER()}/api/kernels`, `${RELAY()}/api/v1/logout`, `${RELAY()}/api/v1/invites`]) {
    const page = await context.newPage();
    await page.goto(`${world.origin('box1--evil')}/form`);
    const [answer] = await Promise.all([page.waitForResponse((one) => one.url() === url), page.evaluate((action) => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action, enctype: 'text/plain' });
      form.innerHTML = '<input name=\'{"kind":"user","name":"mallory","x":"\' value=\'"}\'>';
      document.body.append(form);
      form.submit();
    }, url)]);
    assert.equal(answer.status(), 403, url);
    await page.close();
  }
  assert.equal(await relay.evaluate(async () => (await fetch('/api/v1/me')).status), 200);
});

test('WebSockets are refused', async () => {
  const kernel = await jupyter.evaluate(async () => {
    const token = document.cookie.match(/_xsrf=([^;]*)/)[1];
    const answer = await fetch('/api/kernels', { method: 'POST', body: '{}', headers: { 'X-XSRFToken': token } });
    return (await answer.json()).id;
  });
  const path = `/api/kernels/${kernel}/channels`;
  const connect = (page, url) => page.evaluate((where) => new Promise((resolve) => {
    const socket = new WebSocket(where);
    socket.onopen = () => { socket.close(); resolve('open'); };
    socket.onerror = () => resolve('refused');
  }), url);
  assert.equal(await connect(jupyter, JUPYTER().replace('http', 'ws') + path), 'open', 'its own page may');
  assert.equal(await connect(evil, JUPYTER().replace('http', 'ws') + path), 'refused');
  assert.equal(await connect(evil, `${JUPYTER().replace('http', 'ws')}/terminals/websocket/1`), 'refused');
  assert.equal(await connect(evil, `${RELAY().replace('http', 'ws')}/api/v1/events`), 'refused');
});

test('scripts, styles and pictures of another machine are not loaded', async () => {
  const load = (tag, name, value) => evil.evaluate(([kind, attribute, url]) => new Promise((resolve) => {
    const node = document.createElement(kind);
    node.onload = () => resolve('loaded');
    node.onerror = () => resolve('refused');
    if (kind === 'link') node.rel = 'stylesheet';
    node[attribute] = url;
    document.head.append(node);
  }), [tag, name, value]);
  assert.equal(await load('script', 'src', `${JUPYTER()}/files/secret.js`), 'refused');
  assert.equal(await evil.evaluate(() => window.leaked), undefined);
  assert.equal(await load('script', 'src', `${JUPYTER()}/api/contents`), 'refused');
  assert.equal(await load('script', 'src', `${RELAY()}/api/v1/machines`), 'refused');
  assert.equal(await load('link', 'href', `${JUPYTER()}/files/secret.css`), 'refused');
  assert.equal(await load('img', 'src', `${JUPYTER()}/static/base/images/logo.png`), 'refused');
});

test('frames stay empty', async () => {
  for (const url of [`${RELAY()}/`, `${JUPYTER()}/tree`, `${JUPYTER()}/api/contents`, `${RELAY()}/open/box2/jupyter`,
    `${RELAY()}/api/v1/machines`]) {
    for (const tag of ['iframe', 'object', 'embed']) {
      const page = await context.newPage();
      await page.goto(`${world.origin('box1--evil')}/frames`);
      await page.evaluate(([kind, where]) => {
        const node = document.createElement(kind);
        node[kind === 'object' ? 'data' : 'src'] = where;
        document.body.append(node);
      }, [tag, url]);
      await pause(700);
      for (const frame of page.frames().slice(1)) {
        const text = await frame.evaluate(() => document.body?.innerText ?? '').catch(() => '');
        // Chromium itself says in the frame that it was refused.
        assert.ok(text === '' || /refused to connect/.test(text), `${tag} ${url} shows ${text}`);
      }
      await page.close();
    }
  }
});

test('a window that it opened tells it nothing', async () => {
  for (const url of [`${RELAY()}/`, `${JUPYTER()}/tree`]) {
    const [popup] = await Promise.all([context.waitForEvent('page'),
      evil.evaluate((where) => { window.popup = window.open(where); }, url)]);
    await popup.waitForLoadState();
    const said = await evil.evaluate(() => {
      try {
        return window.popup.document.body.innerText;
      } catch (error) {
        return error.name;
      }
    });
    assert.ok(['SecurityError', 'TypeError'].includes(said), `${url}: ${said}`);
    await popup.close();
  }
});

test('no cookie of it gets in the way', async () => {
  await evil.evaluate(() => {
    for (const name of ['__Host-sallyport', 'sallyport', '_xsrf', '__Host-sallyport-next']) {
      for (const more of ['', '; Domain=relay.localhost', '; Domain=.relay.localhost', '; Domain=localhost',
        '; Domain=box2--jupyter.relay.localhost']) {
        document.cookie = `${name}=tossed; Path=/; Secure${more}`;
      }
    }
  });
  await evil.reload();
  // It may set cookies for all names below the relay's, that is how browsers are; but none with our prefix.
  const tossed = (await context.cookies())
    .filter((one) => one.value === 'tossed' && one.name.startsWith('__Host-') && !one.domain.startsWith('box1--evil'));
  assert.deepEqual(tossed, []);
  for (const page of [relay, jupyter]) await page.reload();
  await relay.getByRole('heading', { name: 'box2' }).waitFor();
  await new Tree(jupyter).ready();
  // It goes without its own session then, and gets a new one.
  await evil.goto(`${world.origin()}/open/box1/evil`);
  assert.equal(evil.url(), `${world.origin('box1--evil')}/`);
});

test('it cannot clear what the browser keeps for others', async () => {
  await evil.goto(`${world.origin('box1--evil')}/clear`);
  await relay.reload();
  await relay.getByRole('heading', { name: 'box2' }).waitFor();
});

test('a service worker stays on its own host', async () => {
  await evil.goto(`${world.origin('box1--evil')}/`);
  const got = await evil.evaluate(async (url) => {
    try {
      await navigator.serviceWorker.register(url);
      return 'registered';
    } catch (error) {
      return error.name;
    }
  }, `${RELAY()}/sw.js`);
  assert.notEqual(got, 'registered');
});

test('a stranger\'s site can do no more', async () => {
  const page = await context.newPage();
  await page.route('https://evil.example/**', (route) => route.fulfill({ contentType: 'text/html', body: 'hello' }));
  await page.goto('https://evil.example/');
  for (const url of [`${RELAY()}/api/v1/machines`, `${JUPYTER()}/api/contents`]) {
    const got = await page.evaluate(async (where) => {
      try {
        return (await fetch(where, { credentials: 'include' })).status;
      } catch {
        return 'failed';
      }
    }, url);
    assert.equal(got, 'failed', url);
  }
  // But it may link here.
  await page.setContent(`<a href="${JUPYTER()}/tree">Jupyter</a>`);
  await page.getByRole('link').click();
  await new Tree(page).ready();
  await page.close();
});

test('the hostile machine has seen no secret', async () => {
  const text = JSON.stringify(seen);
  const cookies = (await context.cookies()).filter((one) => one.name === '__Host-sallyport');
  assert.equal(cookies.length, 3);
  for (const { domain, value } of cookies) assert.ok(!text.includes(value), `the session of ${domain} reached it`);
  assert.ok(!text.includes('.sallyport/enter'));
  assert.ok(!text.includes(world.jupyter.token));
  assert.ok(!/__Host-sallyport=/i.test(JSON.stringify(seen.map((one) => one.headers.cookie ?? ''))));
  assert.ok(!seen.some((one) => /\/open\/|login/.test(one.headers.referer ?? '')));
});
